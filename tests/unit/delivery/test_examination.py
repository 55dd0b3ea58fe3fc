from __future__ import annotations

import pytest

from pipeline.delivery.examination import UNKNOWN_TIME, examine
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.dead_letters import DeadLetter
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION
from tests.fakes.destinations import SELECTED
from tests.fakes.segment import FakeMessage, record

pytestmark = pytest.mark.usefixtures("destination")
AVRO_REASONS = (
    DeliveryRejectReason.NOT_AVRO,
    DeliveryRejectReason.UNKNOWN_SCHEMA,
    DeliveryRejectReason.UNUSABLE_SCHEMA,
)
AVRO_HEADERS = ((FORMAT_VERSION, AVRO_RECORD_FORMAT),)


def test_records_as_avro_are_sent_as_their_json_and_their_dead_letters_are_as_they_came() -> None:
    read: dict[bytes, bytes | DeliveryRejectReason] = {
        b"a": record("a"),
        b"b": record("b")[:-1],
        **{reason.value.encode(): reason for reason in AVRO_REASONS},
    }
    values = [*read, None]
    messages = [FakeMessage(value=value, offset=n, headers=AVRO_HEADERS) for n, value in enumerate(values)]
    messages.insert(1, FakeMessage(value=record("json"), offset=9))
    seen = examine(messages, api=SELECTED, read_avro=read.__getitem__)
    assert seen.records == [record("a"), record("json")]
    assert [letter.reason for letter in seen.letters] == [
        DeliveryRejectReason.NOT_JSON,
        *AVRO_REASONS,
        DeliveryRejectReason.TOMBSTONE,
    ]
    assert [letter.message for letter in seen.letters] == messages[2:]


def test_a_schema_that_is_not_known_any_more_is_an_unknown_one() -> None:
    messages = [FakeMessage(value=b"a", headers=AVRO_HEADERS)]
    known: dict[bytes, bytes | DeliveryRejectReason] = {}
    seen = examine(messages, api=SELECTED, read_avro=known.__getitem__)
    assert [letter.reason for letter in seen.letters] == [DeliveryRejectReason.UNKNOWN_SCHEMA]


def test_the_good_ones_keep_their_order_and_the_others_become_dead_letters() -> None:
    messages = [
        FakeMessage(value=value, offset=n)
        for n, value in enumerate([record("a"), b"{", record("b"), None, record("c")])
    ]
    seen = examine(messages, api=SELECTED)
    assert seen.records == [record("a"), record("b"), record("c")]
    assert seen.messages == [messages[0], messages[2], messages[4]]
    assert seen.letters == [
        DeadLetter(
            stage=SELECTED.stage, destination=SELECTED.name, reason=DeliveryRejectReason.NOT_JSON, message=messages[1]
        ),
        DeadLetter(
            stage=SELECTED.stage, destination=SELECTED.name, reason=DeliveryRejectReason.TOMBSTONE, message=messages[3]
        ),
    ]
    assert seen.unknown_format is None


def test_records_are_the_messages_own_bytes() -> None:
    message = FakeMessage(value=record())
    assert examine([message], api=SELECTED).records[0] is message.value


def test_nothing_is_examined_from_an_unknown_format_version_on() -> None:
    newer = FakeMessage(value=b"{", offset=1, headers=[("source-partition", b"1"), (FORMAT_VERSION, b"2")])
    messages = [FakeMessage(value=record("a")), newer, FakeMessage(value=record("b"), offset=2)]
    seen = examine(messages, api=SELECTED)
    assert (seen.records, seen.letters, seen.unknown_format) == ([record("a")], [], b"2")


def test_a_message_without_a_format_version_is_taken_for_the_present_one() -> None:
    bare = FakeMessage(value=record(), headers=[("source-partition", b"1")])
    assert examine([bare], api=SELECTED).records == [record()]


def test_the_time_of_an_event_comes_from_its_examination() -> None:
    times = {"2026-01-01T00:00:00.120Z": 1_767_225_600.12, "2026-01-01T00:00:00": UNKNOWN_TIME, "soon": UNKNOWN_TIME}
    messages = [FakeMessage(value=record("a", timestamp=text), offset=n) for n, text in enumerate((*times, 7))]
    seen = examine([*messages, FakeMessage(value=b"{", offset=4)], api=SELECTED)
    assert seen.times == [SELECTED.examine(message.value) for message in messages]
    if SELECTED.name == "segment":
        assert seen.times == [*times.values(), UNKNOWN_TIME]


def test_an_event_later_than_the_latest_time_is_rejected_and_one_at_that_time_is_not() -> None:
    value = record("a", timestamp="2026-01-01T00:00:00.120Z", at=1_767_225_600.12)
    messages = [FakeMessage(value=value)]
    assert examine(messages, api=SELECTED, latest_time=1_767_225_600.12).records == [value]
    seen = examine(messages, api=SELECTED, latest_time=1_767_225_600.119)
    assert seen.records == []
    assert [letter.reason for letter in seen.letters] == [DeliveryRejectReason.TOO_FAR_AHEAD]
