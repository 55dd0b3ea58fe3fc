from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.producer import OutboundMessage
from pipeline.kafka.records import Repartition, SamePartition
from tests.fakes.kafka import KeptWrites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import Handed

TOPIC = "segment.records"


def record(key: bytes | None, value: bytes) -> OutboundMessage:
    return OutboundMessage(key=key, value=value, timestamp_ms=None, headers=[])


async def test_records_go_to_the_partition_of_their_source_in_one_write() -> None:
    kept = KeptWrites()
    records = [record(b"u-1", b"1"), record(b"u-2", b"2")]
    await SamePartition(kept, topic=TOPIC).store(7, records)
    assert kept.writes == [(TOPIC, 7, records)]


async def test_a_batch_without_records_writes_nothing() -> None:
    kept = KeptWrites()
    await SamePartition(kept, topic=TOPIC).store(0, [])
    await Repartition(kept, topic=TOPIC, partitions=3).store(0, [])
    assert kept.writes == []


async def test_repartitioning_goes_by_kafkas_default_partitioner_and_keeps_the_order_of_each_partition() -> None:
    kept = KeptWrites()
    records = [record(b"u-%d" % (number % 7), b"%d" % number) for number in range(50)]
    await Repartition(kept, topic=TOPIC, partitions=4).store(0, records)
    assert {topic for topic, _, _ in kept.writes} == {TOPIC}
    expected: dict[int, list[OutboundMessage]] = {}
    for each in records:
        expected.setdefault(partition_for(each.key or b"", 4), []).append(each)
    assert {partition: run for _, partition, run in kept.writes} == expected
    assert len(kept.writes) == len(expected)


class _Hanging(KeptWrites):
    """A producer whose writes are not confirmed; `again` are the partitions whose write is being retried."""

    again: frozenset[int] = frozenset()

    async def write(
        self, topic: str, partition: int, messages: Sequence[OutboundMessage], *, handed: Handed | None = None
    ) -> None:
        await super().write(topic, partition, messages, handed=handed)
        await asyncio.get_running_loop().create_future()

    def repeats(self, topic: str, partition: int) -> bool:
        return topic == TOPIC and partition in self.again


async def test_repartitioning_knows_whose_records_are_written_again() -> None:
    hanging = _Hanging()
    repartition = Repartition(hanging, topic=TOPIC, partitions=4)
    by_target = {partition_for(b"u-%d" % number, 4): b"u-%d" % number for number in range(50)}
    storing = [
        asyncio.create_task(repartition.store(source, [record(by_target[target], b"1") for target in targets]))
        for source, targets in enumerate(([0, 1], [2]))
    ]
    await asyncio.sleep(0)
    for again, sources in (({0}, [True, False]), ({2}, [False, True]), ({3}, [False, False])):
        hanging.again = frozenset(again)
        assert [repartition.repeats(source) for source in range(2)] == sources
    for task in storing:
        task.cancel()
    await asyncio.wait(storing)
    hanging.again = frozenset(range(4))
    assert not repartition.repeats(0), "nothing of it is under way any more"
