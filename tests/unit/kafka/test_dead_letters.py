from __future__ import annotations

from enum import StrEnum

import pytest

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.dead_letters import DeadLetter, DeadLetterWriter
from pipeline.kafka.refusals import Refusal
from pipeline.processor.deciding import STAGE
from tests.fakes.kafka import KeptWrites
from tests.fakes.stream import FakeMessage

TOPIC = "onesignal.dead-letters"


class Why(StrEnum):
    NOT_JSON = "not_json"


def letter(message: FakeMessage) -> DeadLetter:
    return DeadLetter(stage=STAGE, destination="segment", reason=Why.NOT_JSON, message=message, rules_version=b"r-1")


def writer(producer: KeptWrites, partitions: int = 4) -> DeadLetterWriter:
    return DeadLetterWriter(producer, topic=TOPIC, partitions=partitions, now_ms=lambda: 1_700_000_000_123)


async def test_a_dead_letter_keeps_the_key_and_the_bytes_and_tells_why_and_where_from() -> None:
    kept = KeptWrites()
    message = FakeMessage(
        topic="onesignal.events", partition=2, offset=41, key=b"\xffu-1", value=b"\x00{not json", headers=(("a", b"b"),)
    )
    await writer(kept).store([letter(message)])
    ((topic, partition, (stored,)),) = kept.writes
    assert (topic, partition) == (TOPIC, 2)
    assert (stored.key, stored.value, stored.timestamp_ms) == (b"\xffu-1", b"\x00{not json", None)
    assert stored.headers == [
        ("reason", b"not_json"),
        ("stage", b"processor"),
        ("destination", b"segment"),
        ("source-topic", b"onesignal.events"),
        ("source-partition", b"2"),
        ("source-offset", b"41"),
        ("source-timestamp", b"1700000000000"),
        ("rejected-at", b"1700000000123"),
        ("rules-version", b"r-1"),
        ("format-version", b"2"),
    ]


@pytest.mark.parametrize(("key", "value"), [(None, b"{}"), (b"u", None), (None, None), (b"", b"")])
async def test_absent_and_empty_stay_what_they_are(key: bytes | None, value: bytes | None) -> None:
    kept = KeptWrites()
    await writer(kept).store([letter(FakeMessage(offset=0, key=key, value=value))])
    ((_, _, (stored,)),) = kept.writes
    assert (stored.key, stored.value) == (key, value)


async def test_letters_of_one_source_partition_stay_in_one_partition_and_in_order() -> None:
    kept = KeptWrites()
    letters = [letter(FakeMessage(partition=number % 3, offset=number)) for number in range(9)]
    await writer(kept, partitions=2).store(letters)
    offsets = {
        partition: [int(dict(stored.headers)["source-offset"]) for stored in run] for _, partition, run in kept.writes
    }
    assert offsets == {0: [0, 2, 3, 5, 6, 8], 1: [1, 4, 7]}


async def test_no_letters_are_no_writes() -> None:
    kept = KeptWrites()
    await writer(kept).store([])
    assert kept.writes == []


async def test_a_letter_that_cannot_be_stored_is_not_taken_for_stored() -> None:
    kept = KeptWrites()
    kept.error = RuntimeError("stopped")
    with pytest.raises(RuntimeError, match="stopped"):
        await writer(kept).store([letter(FakeMessage(offset=0))])


def test_the_health_of_the_store_is_that_of_its_producer() -> None:
    kept = KeptWrites()
    store = writer(kept)
    assert (store.retrying, store.hold_reason, set(store.holds)) == (False, None, set())
    kept._repeating.add((TOPIC, 1))
    kept._refused[TOPIC, 1] = Refusal(reason="grow the limit", hold=HoldReason.MESSAGE_TOO_LARGE)
    assert (store.retrying, store.hold_reason, set(store.holds)) == (
        True,
        "grow the limit",
        {HoldReason.MESSAGE_TOO_LARGE},
    )


async def test_what_is_stored_is_counted_by_stage_and_reason_once_it_is_confirmed() -> None:
    kept, counted = KeptWrites(), []
    store = DeadLetterWriter(
        kept,
        topic=TOPIC,
        partitions=2,
        now_ms=lambda: 0,
        on_stored=lambda stage, reason, letters: counted.append((stage, reason, letters)),
    )
    await store.store([letter(FakeMessage(offset=n, partition=n)) for n in range(3)])
    assert counted == [(STAGE, Why.NOT_JSON, 3)]
    kept.error = RuntimeError("stopped")
    with pytest.raises(RuntimeError, match="stopped"):
        await store.store([letter(FakeMessage(offset=0))])
    assert len(counted) == 1
