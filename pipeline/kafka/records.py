"""Where forwarded records go: the partition they came from, or the one that their key hashes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.kafka.partitioner import partition_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import BatchProducer, Entry


class SamePartition:
    """Writes records to the partition number of their source: the raw topic is keyed by user already."""

    def __init__(self, producer: BatchProducer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def store(self, source_partition: int, records: Sequence[Entry]) -> None:
        """Store records in order; returning means the broker has confirmed every one of them."""
        if records:
            await self._producer.write(self._topic, source_partition, records)


class Repartition:
    """Writes each record to the partition that Kafka's default partitioner gives its key."""

    def __init__(self, producer: BatchProducer, *, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions

    async def store(self, source_partition: int, records: Sequence[Entry]) -> None:
        """Store records, in order within each partition; returning means every one of them is confirmed."""
        del source_partition
        runs: dict[int, list[Entry]] = {}
        for record in records:
            runs.setdefault(partition_for(record.key or b"", self._partitions), []).append(record)
        await asyncio.gather(*(self._producer.write(self._topic, partition, run) for partition, run in runs.items()))
