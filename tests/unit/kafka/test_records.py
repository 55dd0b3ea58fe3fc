from __future__ import annotations

from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.producer import Entry
from pipeline.kafka.records import Repartition, SamePartition
from tests.fakes.kafka import KeptWrites

TOPIC = "segment.records"


def record(key: bytes | None, value: bytes) -> Entry:
    return Entry(key=key, value=value, timestamp_ms=None, headers=[])


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
    expected: dict[int, list[Entry]] = {}
    for each in records:
        expected.setdefault(partition_for(each.key or b"", 4), []).append(each)
    assert {partition: run for _, partition, run in kept.writes} == expected
    assert len(kept.writes) == len(expected)
