"""Records are checked before they are sent: what Mixpanel refuses, drops silently, or takes for another user."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.destinations.mixpanel.limits import DISALLOWED_IDS, MAX_RECORD_BYTES
from pipeline.core.kinds import KINDS
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import State, process
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.local.mixpanel.judgement import Circumstances, judge
from pipeline.local.mixpanel.ledger import Ledger
from pipeline.sinks.mixpanel.record_check import MixpanelRejectReason, _decode, _diagnose, check_record
from tests.builders import MIXPANEL, raw_event, raw_message
from tests.fakes.mixpanel import API, TIME_MS, record

Own = MixpanelRejectReason
MANY: dict[str, Any] = {f"p{number}": 1 for number in range(260)}

REJECTED = [
    (b"", DeliveryRejectReason.NOT_JSON),
    (b"{", DeliveryRejectReason.NOT_JSON),
    (b"\xff", DeliveryRejectReason.NOT_JSON),
    (record().replace(b"onesignal", b"one\xffsignal"), DeliveryRejectReason.NOT_JSON),
    (record().replace(b"message.push.sent", b"\\ud800"), DeliveryRejectReason.NOT_JSON),
    (record()[:-1] + b',"more":"\xff"}', DeliveryRejectReason.NOT_JSON),
    (record()[:-1] + b',"\xff":1}', DeliveryRejectReason.NOT_JSON),
    (record().replace(b'"ip"', b'"\xff"'), DeliveryRejectReason.NOT_JSON),
    (record().replace(str(TIME_MS).encode(), b"9" * 400), DeliveryRejectReason.NOT_JSON),
    (b"[]", Own.NOT_AN_EVENT),
    (b"null", Own.NOT_AN_EVENT),
    (b'{"event":"a"}', Own.NOT_AN_EVENT),
    (b'{"event":"a","properties":[]}', Own.NOT_AN_EVENT),
    (record(event=None), Own.NO_EVENT_NAME),
    (record(event=""), Own.NO_EVENT_NAME),
    (record(event="  "), Own.NO_EVENT_NAME),
    (record(event=3), Own.NO_EVENT_NAME),
    (record(event="x" * 256), Own.EVENT_NAME_TOO_LONG),
    (record(event="$identify"), Own.IDENTITY_EVENT),
    (record(event="$create_alias"), Own.IDENTITY_EVENT),
    (record(event="$merge"), Own.IDENTITY_EVENT),
    (record(distinct_id=None), Own.NO_USER),
    (record(distinct_id=""), Own.NO_USER),
    (record(distinct_id=" "), Own.NO_USER),
    (record(distinct_id=7), Own.NO_USER),
    (record(distinct_id="x" * 256), Own.USER_ID_TOO_LONG),
    *((record(distinct_id=each), Own.DISALLOWED_USER_ID) for each in sorted(DISALLOWED_IDS)),
    (record(""), Own.INVALID_INSERT_ID),
    (record("x" * 37), Own.INVALID_INSERT_ID),
    (record("a_b"), Own.INVALID_INSERT_ID),
    (record("é"), Own.INVALID_INSERT_ID),
    (record("a\n"), Own.INVALID_INSERT_ID),
    (record("null"), Own.INVALID_INSERT_ID),
    (record(__insert_id=None), Own.INVALID_INSERT_ID),
    (record(__insert_id=7), Own.INVALID_INSERT_ID),
    (record(time=None), Own.INVALID_TIME),
    (record(time="2026-01-01T00:00:00Z"), Own.INVALID_TIME),
    (record(time=1.5), Own.INVALID_TIME),
    (record(time=float(TIME_MS)), Own.INVALID_TIME),
    (record(time=True), Own.INVALID_TIME),
    (record(time=31_535_999_999), Own.INVALID_TIME),
    (record(time=-1), Own.INVALID_TIME),
    (record(time=253_402_300_800_000), Own.INVALID_TIME),
    (record(time=2**64 - 1), Own.INVALID_TIME),
    (record().replace(str(TIME_MS).encode(), b"9" * 30), Own.INVALID_TIME),
    (record(**MANY), Own.TOO_MANY_PROPERTIES),
    (record(a=MANY), Own.TOO_MANY_PROPERTIES),
    (record(a=[1] * 255), Own.TOO_MANY_PROPERTIES),
    (record(__ignore=True), Own.HARMFUL_PROPERTY),
    (record(bucket="a"), Own.HARMFUL_PROPERTY),
    (record(__bucket="a"), Own.HARMFUL_PROPERTY),
    (record(a={"b": {"c": {"d": 1}}, "e": [[[[]]]]}), DeliveryRejectReason.TOO_DEEP),
    (record(a={"b": {"c": {"d": {}}}}), DeliveryRejectReason.TOO_DEEP),
    (record(a="x" * MAX_RECORD_BYTES), DeliveryRejectReason.TOO_LARGE),
]
ELSEWHERE = {
    DeliveryRejectReason.TOMBSTONE,
    DeliveryRejectReason.REFUSED,
    DeliveryRejectReason.NOT_AVRO,
    DeliveryRejectReason.UNKNOWN_SCHEMA,
    DeliveryRejectReason.UNUSABLE_SCHEMA,
    DeliveryRejectReason.TOO_FAR_AHEAD,
}
AT_THE_LIMITS: list[dict[str, Any]] = [
    {"time": 31_536_000_000},
    {"time": 253_402_300_799_999},
    {"insert_id": "x" * 36},
    {"distinct_id": "x" * 255},
    {"event": "x" * 255},
    {"a": "x" * (MAX_RECORD_BYTES - len(record(a="")))},
]
USABLE = [
    record(),
    record()[:-1] + b',"more":1}',
    record(distinct_id="$device:abc"),
    *(record(**values) for values in AT_THE_LIMITS),
    *(record(**{"url": 1, **values}) for values in AT_THE_LIMITS[:-1]),
    record(a={"b": {"c": {"d": 1}}}, d=[[[1]]]),
    record(a="é\U0001f600"),
    record(**dict(list(MANY.items())[:246])),
]


@pytest.mark.parametrize(("value", "reason"), REJECTED)
def test_what_mixpanel_would_not_take_is_rejected_with_its_own_reason(value: bytes, reason: object) -> None:
    assert API.examine(value) is reason


@pytest.mark.parametrize("value", USABLE)
def test_the_time_of_a_usable_record_is_in_seconds(value: bytes) -> None:
    assert API.examine(value) == orjson.loads(value)["properties"]["time"] / 1000


def test_every_reason_has_an_example() -> None:
    assert {reason for _, reason in REJECTED} | ELSEWHERE == set(API.reject_reasons)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**63)
    | st.text(max_size=4)
    | st.sampled_from(sorted(DISALLOWED_IDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(["event", "distinct_id", "__insert_id", "time", "a", "bucket", "__ignore"]), JSON, max_size=4
    )
)
def test_the_fast_check_and_the_slow_one_agree(changes: dict[str, object]) -> None:
    value = record(**{"insert_id": "id", **changes}) if "insert_id" not in changes else record(**changes)  # type: ignore[arg-type]
    assert check_record(value, max_bytes=MAX_RECORD_BYTES) == _diagnose(value)


@given(
    value=st.sampled_from([record(), record(a={"b": [1, "x"]}, Language="é")]),
    start=st.integers(0, 300),
    length=st.integers(0, 6),
    inserted=st.binary(max_size=4)
    | st.sampled_from([b"\xed\xa0\x80", b"\xc0\xaf", b"\\ud800", b"1e999", b"{}", b"[[["]),
)
def test_both_checks_agree_on_damaged_records(value: bytes, start: int, length: int, inserted: bytes) -> None:
    damaged = value[:start] + inserted + value[start + length :]
    assert check_record(damaged, max_bytes=MAX_RECORD_BYTES) == _diagnose(damaged)


@given(
    changes=st.dictionaries(
        st.sampled_from(["event", "distinct_id", "__insert_id", "time", "a"]), JSON | st.integers(0, 2**41), max_size=4
    )
)
def test_mixpanel_accepts_what_the_check_lets_through(changes: dict[str, Any]) -> None:
    value = record(**changes)
    seen = check_record(value, max_bytes=MAX_RECORD_BYTES)
    if isinstance(seen, float):
        judgement = judge(b"[" + value + b"]", Circumstances(now=seen), Ledger())
        assert judgement.status == 200


def test_the_records_of_these_tests_are_checked_without_the_slow_check() -> None:
    assert _decode(record()).properties.distinct_id == "u-1"


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_every_kind_are_checked_without_the_slow_check(kind: str) -> None:
    details = {"failure_reason": "x", "page_name": "x", "target_id": "x", "live_activity_id": "x"}
    outcome = process(raw_message(raw_event(kind, data=details)), Policy(records=MIXPANEL), State())
    assert isinstance(outcome, Deliver)
    assert _decode(outcome.record).properties.event_kind == kind


@given(st.binary(max_size=60) | JSON.map(orjson.dumps))
def test_no_bytes_make_the_check_raise(value: bytes) -> None:
    check_record(value, max_bytes=MAX_RECORD_BYTES)


def test_the_deepest_json_is_rejected_and_not_a_crash() -> None:
    deep = b'{"event":"a","properties":' + b'{"a":' * 30_000
    assert check_record(deep, max_bytes=10**6) in {DeliveryRejectReason.NOT_JSON, DeliveryRejectReason.TOO_DEEP}


def test_trap_7_a_time_up_to_an_hour_ahead_is_the_senders_to_judge() -> None:
    assert API.max_seconds_ahead == 3_600.0
    assert API.examine(record()) == TIME_MS / 1000
