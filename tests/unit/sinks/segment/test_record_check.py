from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.delivery.examination import UNKNOWN_TIME
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.sinks.segment.record_check import SegmentRejectReason, check_record
from tests.fakes.segment import API, record, record_of

if TYPE_CHECKING:
    from enum import StrEnum

LIMIT = MAX_RECORD_BYTES

REJECTED = [
    (record_of(LIMIT + 1), DeliveryRejectReason.TOO_LARGE),
    (b"", DeliveryRejectReason.NOT_JSON),
    (b"\xff\xfe", DeliveryRejectReason.NOT_JSON),
    (record() + b"x", DeliveryRejectReason.NOT_JSON),
    (record()[:-1], DeliveryRejectReason.NOT_JSON),
    (record(p=1).replace(b'"p": 1', b'"p": NaN'), DeliveryRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', b'"\xff"'), DeliveryRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', b'"\xed\xa0\x80"'), DeliveryRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', rb'"\ud800"'), DeliveryRejectReason.NOT_JSON),
    (record(p=1).replace(b'"p": 1', b'"p": ' + b"[" * 9000 + b"]" * 9000), DeliveryRejectReason.TOO_DEEP),
    (record(userId="u").replace(b'"u"', b"[" * 9000 + b"]" * 9000), DeliveryRejectReason.TOO_DEEP),
    (b"[]", SegmentRejectReason.NOT_A_TRACK_CALL),
    (b"null", SegmentRejectReason.NOT_A_TRACK_CALL),
    (b'"track"', SegmentRejectReason.NOT_A_TRACK_CALL),
    (record(type=None), SegmentRejectReason.NOT_A_TRACK_CALL),
    (record(type="identify"), SegmentRejectReason.NOT_A_TRACK_CALL),
    (record(type=["track"]), SegmentRejectReason.NOT_A_TRACK_CALL),
    (record(event=None), SegmentRejectReason.NO_EVENT_NAME),
    (record(event=""), SegmentRejectReason.NO_EVENT_NAME),
    (record(event=" \t"), SegmentRejectReason.NO_EVENT_NAME),
    (record(event=7), SegmentRejectReason.NO_EVENT_NAME),
    (record(userId=None), SegmentRejectReason.NO_USER),
    (record(userId="", anonymousId=" "), SegmentRejectReason.NO_USER),
    (record(userId=42), SegmentRejectReason.NO_USER),
    (record(message_id=""), SegmentRejectReason.NO_MESSAGE_ID),
    (record(message_id=" "), SegmentRejectReason.NO_MESSAGE_ID),
    (record(messageId=None), SegmentRejectReason.NO_MESSAGE_ID),
    (record(messageId=5), SegmentRejectReason.NO_MESSAGE_ID),
    (record("m" * 101), SegmentRejectReason.MESSAGE_ID_TOO_LONG),
]

FOUND_ELSEWHERE = (
    DeliveryRejectReason.TOMBSTONE,
    DeliveryRejectReason.REFUSED,
    DeliveryRejectReason.NOT_AVRO,
    DeliveryRejectReason.UNKNOWN_SCHEMA,
    DeliveryRejectReason.UNUSABLE_SCHEMA,
    DeliveryRejectReason.TOO_FAR_AHEAD,
)

USABLE = [
    record(),
    record_of(LIMIT),
    record("m" * 100),
    record("é" * 100),
    record(userId=None, anonymousId="a-1"),
    record(userId="", anonymousId="a-1"),
    record(userId=" ", anonymousId="a-1"),
    record(userId=42, anonymousId="a-1"),
    record(anonymousId=42),
    record(p="grüße").replace(rb"\u00fc", "ü".encode()),
    b" " + record() + b"\n",
]


@pytest.mark.parametrize(("value", "reason"), REJECTED)
def test_what_segment_would_throw_away_is_rejected(value: bytes, reason: StrEnum) -> None:
    assert check_record(value, max_bytes=LIMIT) is reason
    assert API.examine(value) is reason


@pytest.mark.parametrize("value", USABLE)
def test_a_good_record_passes(value: bytes) -> None:
    assert check_record(value, max_bytes=LIMIT) == UNKNOWN_TIME
    assert API.examine(value) == UNKNOWN_TIME


def test_every_reason_has_an_example() -> None:
    assert {reason for _, reason in REJECTED} | set(FOUND_ELSEWHERE) == {*DeliveryRejectReason, *SegmentRejectReason}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:00.120Z", 1_767_225_600.12),
        ("2026-01-01T00:00:00", UNKNOWN_TIME),
        ("soon", UNKNOWN_TIME),
        (7, UNKNOWN_TIME),
    ],
)
def test_the_time_of_an_event_is_read_with_the_check(text: object, seconds: float) -> None:
    assert check_record(record(timestamp=text), max_bytes=LIMIT) == seconds
