from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.core.events import decode
from pipeline.kafka.errors import UnreadableTopicError
from pipeline.kafka.partitioner import partition_for
from pipeline.processor.keying import SAMPLE_BYTES, Sample, _latest, foreign_partitioning, judge
from tests.builders import encode, raw_event
from tests.fakes.stream import FakeMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTITIONS = 4
HOME = partition_for(b"u-1", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS


def message(key: bytes | None, partition: int, value: bytes | None = None) -> FakeMessage:
    body = encode(raw_event(external_id="u-1")) if value is None else value
    return FakeMessage(offset=0, partition=partition, key=key, value=body)


@pytest.mark.parametrize(
    ("key", "partition", "misplaced"),
    [(b"u-1", HOME, 0), (b"u-1", ELSEWHERE, 0), (b"other", HOME, 0), (None, HOME, 0), (b"other", ELSEWHERE, 1)],
)
def test_an_event_is_misplaced_where_neither_its_key_nor_its_partition_is_that_of_its_user(
    key: bytes | None, partition: int, misplaced: int
) -> None:
    assert judge([message(key, partition)], PARTITIONS, decode) == Sample(1, misplaced)


def test_what_names_no_user_is_not_looked_at() -> None:
    tombstone = FakeMessage(offset=0, partition=0, key=b"k", value=None)
    nobody = encode(raw_event(external_id="", subscription_id=""))
    garbage = [
        tombstone,
        message(b"k", 0, b"\x00\x00\x00\x00\x07avro"),
        message(b"k", 0, b"{"),
        message(b"k", 0, nobody),
    ]
    assert judge(garbage, PARTITIONS, decode) == Sample(0, 0)


@pytest.mark.parametrize(("misplaced", "objects"), [(0, False), (2, False), (3, True), (200, True)])
def test_one_event_in_a_hundred_may_be_misplaced(misplaced: int, *, objects: bool) -> None:
    objection = Sample(200, misplaced).objection
    assert (objection is not None) is objects
    assert objection is None or f"{misplaced} of its latest 200 events" in objection


def test_an_empty_topic_is_keyed_well() -> None:
    assert Sample(0, 0).objection is None
    assert foreign_partitioning([], PARTITIONS) is None


def test_a_user_s_partition_is_known_where_keys_are_where_kafka_s_default_partitioner_puts_them() -> None:
    keyed, elsewhere, keyless = message(b"u-1", HOME), message(b"u-1", ELSEWHERE), message(None, ELSEWHERE)
    assert foreign_partitioning([keyed] * 99 + [elsewhere, keyless], PARTITIONS) is None
    objection = foreign_partitioning([keyed] * 98 + [elsewhere] * 2, PARTITIONS)
    assert objection is not None
    assert objection.startswith("2 of the latest 100 messages")


class HalfReadable:
    """A consumer of two partitions, of which one cannot be read."""

    def __init__(self) -> None:
        self._positions: dict[Any, int] = {}

    async def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 1)

    def assign(self, partitions: Sequence[Any]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: Any, offset: int) -> None:
        self._positions[partition] = offset

    async def position(self, partition: Any) -> int:
        return self._positions[partition]

    async def getmany(self, *partitions: Any, timeout_ms: int) -> dict[Any, list[FakeMessage]]:
        del timeout_ms
        for partition in partitions:
            if partition[1] == 0:
                raise UnreadableTopicError(partition, "its checksum does not match")
            self._positions[partition] = 1
        return {partition: [message(b"u", partition[1])] for partition in partitions}


class Heavy(HalfReadable):
    """A consumer of two partitions; the messages of one are large, and all have many headers."""

    async def getmany(self, *partitions: Any, timeout_ms: int) -> dict[Any, list[FakeMessage]]:
        del timeout_ms
        found = {}
        for partition in partitions:
            value = bytes(SAMPLE_BYTES // 3) if partition[1] == 0 else b"{}"
            found[partition] = [
                replace(message(b"u", partition[1], value), headers=(("name", b"value"),) * 9) for _ in range(9)
            ]
            self._positions[partition] = 1
        return found


async def test_a_look_at_the_keys_keeps_no_headers_and_no_more_of_a_partition_than_a_megabyte() -> None:
    consumer: Any = Heavy()
    found = await _latest(consumer, "onesignal.events", 2)
    assert [each.partition for each in found] == [0] * 2 + [1] * 9
    assert {each.headers for each in found} == {()}


async def test_a_partition_that_cannot_be_read_is_not_looked_at_and_the_others_are() -> None:
    consumer: Any = HalfReadable()
    assert [each.partition for each in await _latest(consumer, "onesignal.events", 2)] == [1]
