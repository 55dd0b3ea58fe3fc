"""Where forwarded records go: the partition they came from, or the one that their key hashes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.kafka.partitioner import partition_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import BatchProducer, Entry, Handed


class SamePartition:
    """Writes records to the partition number of their source: the raw topic is keyed by user already."""

    def __init__(self, producer: BatchProducer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def hand_over(self, source_partition: int, records: Sequence[Entry]) -> Handed | None:
        """Hand records over without waiting for anything (`BatchProducer.hand_over`)."""
        return await self._producer.hand_over(self._topic, source_partition, records)

    async def store(self, source_partition: int, records: Sequence[Entry], handed: Handed | None = None) -> None:
        """Store records in order; returning means the broker has confirmed every one of them."""
        if records:
            await self._producer.write(self._topic, source_partition, records, handed=handed)

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's records is being repeated."""
        return self._producer.repeats(self._topic, source_partition)


class Repartition:
    """Writes each record to the partition that Kafka's default partitioner gives its key."""

    def __init__(self, producer: BatchProducer, *, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions

    async def hand_over(self, source_partition: int, records: Sequence[Entry]) -> None:
        """Hand nothing over: other source partitions write to the same ones."""

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of any records is being repeated."""
        del source_partition
        return self._producer.repeats(self._topic)

    async def store(self, source_partition: int, records: Sequence[Entry], handed: Handed | None = None) -> None:
        """Store records, in order within each partition; returning means every one of them is confirmed."""
        del source_partition, handed
        runs: dict[int, list[Entry]] = {}
        for record in records:
            runs.setdefault(partition_for(record.key or b"", self._partitions), []).append(record)
        await asyncio.gather(*(self._producer.write(self._topic, partition, run) for partition, run in runs.items()))
