from __future__ import annotations

import pytest

from pipeline.delivery.examination import UNKNOWN_TIME, SegmentRejectReason, examine, look_at
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION
from tests.fakes.segment import FakeMessage, record, record_of

LIMIT = 32_768

REJECTED = [
    (record_of(LIMIT + 1), SegmentRejectReason.TOO_LARGE),
    (b"", SegmentRejectReason.NOT_JSON),
    (b"\xff\xfe", SegmentRejectReason.NOT_JSON),
    (record() + b"x", SegmentRejectReason.NOT_JSON),
    (record()[:-1], SegmentRejectReason.NOT_JSON),
    (record(p=1).replace(b'"p": 1', b'"p": NaN'), SegmentRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', b'"\xff"'), SegmentRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', b'"\xed\xa0\x80"'), SegmentRejectReason.NOT_JSON),
    (record(p="q").replace(b'"q"', rb'"\ud800"'), SegmentRejectReason.NOT_JSON),
    (record(p=1).replace(b'"p": 1', b'"p": ' + b"[" * 9000 + b"]" * 9000), SegmentRejectReason.TOO_DEEP),
    (record(userId="u").replace(b'"u"', b"[" * 9000 + b"]" * 9000), SegmentRejectReason.TOO_DEEP),
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
def test_what_segment_would_throw_away_is_rejected(value: bytes, reason: SegmentRejectReason) -> None:
    assert look_at(value, max_bytes=LIMIT) is reason


@pytest.mark.parametrize("value", USABLE)
def test_a_good_record_passes(value: bytes) -> None:
    assert look_at(value, max_bytes=LIMIT) == UNKNOWN_TIME


AVRO_REASONS = (
    SegmentRejectReason.NOT_AVRO,
    SegmentRejectReason.UNKNOWN_SCHEMA,
    SegmentRejectReason.UNUSABLE_SCHEMA,
)
AVRO_HEADERS = ((FORMAT_VERSION, AVRO_RECORD_FORMAT),)


def test_records_as_avro_are_sent_as_their_json_and_their_dead_letters_are_as_they_came() -> None:
    read: dict[bytes, bytes | SegmentRejectReason] = {
        b"a": record("a"),
        b"b": record("b")[:-1],
        **{reason.value.encode(): reason for reason in AVRO_REASONS},
    }
    values = [*read, None]
    messages = [FakeMessage(value=value, offset=n, headers=AVRO_HEADERS) for n, value in enumerate(values)]
    messages.insert(1, FakeMessage(value=record("json"), offset=9))
    seen = examine(messages, max_record_bytes=LIMIT, read_avro=read.__getitem__)
    assert seen.records == [record("a"), record("json")]
    assert [letter.reason for letter in seen.letters] == [
        SegmentRejectReason.NOT_JSON,
        *AVRO_REASONS,
        SegmentRejectReason.TOMBSTONE,
    ]
    assert [letter.message for letter in seen.letters] == messages[2:]


def test_a_schema_that_is_not_known_any_more_is_an_unknown_one() -> None:
    messages = [FakeMessage(value=b"a", headers=AVRO_HEADERS)]
    known: dict[bytes, bytes | SegmentRejectReason] = {}
    seen = examine(messages, max_record_bytes=LIMIT, read_avro=known.__getitem__)
    assert [letter.reason for letter in seen.letters] == [SegmentRejectReason.UNKNOWN_SCHEMA]


def test_every_reason_has_an_example() -> None:
    elsewhere = {SegmentRejectReason.TOMBSTONE, SegmentRejectReason.REFUSED, *AVRO_REASONS}
    assert {reason for _, reason in REJECTED} | elsewhere == set(SegmentRejectReason)


def test_the_good_ones_keep_their_order_and_the_others_become_dead_letters() -> None:
    messages = [
        FakeMessage(value=value, offset=n)
        for n, value in enumerate([record("a"), b"{", record("b"), None, record("c")])
    ]
    seen = examine(messages, max_record_bytes=LIMIT)
    assert seen.records == [record("a"), record("b"), record("c")]
    assert seen.messages == [messages[0], messages[2], messages[4]]
    assert seen.letters == [
        DeadLetter(stage=Stage.SEGMENT_SINK, reason=SegmentRejectReason.NOT_JSON, message=messages[1]),
        DeadLetter(stage=Stage.SEGMENT_SINK, reason=SegmentRejectReason.TOMBSTONE, message=messages[3]),
    ]
    assert seen.unknown_format is None


def test_records_are_the_messages_own_bytes() -> None:
    message = FakeMessage(value=record())
    assert examine([message], max_record_bytes=LIMIT).records[0] is message.value


def test_nothing_is_examined_from_an_unknown_format_version_on() -> None:
    newer = FakeMessage(value=b"{", offset=1, headers=[("source-partition", b"1"), (FORMAT_VERSION, b"2")])
    messages = [FakeMessage(value=record("a")), newer, FakeMessage(value=record("b"), offset=2)]
    seen = examine(messages, max_record_bytes=LIMIT)
    assert (seen.records, seen.letters, seen.unknown_format) == ([record("a")], [], b"2")


def test_a_message_without_a_format_version_is_taken_for_the_present_one() -> None:
    bare = FakeMessage(value=record(), headers=[("source-partition", b"1")])
    assert examine([bare], max_record_bytes=LIMIT).records == [record()]


def test_the_time_of_an_event_is_read_with_the_check_and_lacks_where_it_is_no_time() -> None:
    times = {"2026-01-01T00:00:00.120Z": 1_767_225_600.12, "2026-01-01T00:00:00": UNKNOWN_TIME, "soon": UNKNOWN_TIME}
    messages = [FakeMessage(value=record("a", timestamp=text), offset=n) for n, text in enumerate((*times, 7))]
    seen = examine([*messages, FakeMessage(value=b"{", offset=4)], max_record_bytes=LIMIT)
    assert seen.times == [*times.values(), UNKNOWN_TIME]
    assert len(seen.records) == len(seen.times)
