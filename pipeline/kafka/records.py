"""Store forwarded records: in the partition of their source, or in the one that their key hashes to."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from pipeline.kafka.partitioner import partition_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from pipeline.kafka.producer import BatchProducer, Handed, OutboundMessage


class SharedWrites:
    """Combines the writes of several callers to one partition: those that come during a write become the next one."""

    def __init__(self, write: Callable[[Sequence[OutboundMessage]], Awaitable[None]]) -> None:
        """`write` stores messages in order, and returns when all of them are confirmed."""
        self._write = write
        self._turn = asyncio.Lock()
        self._gathering: _Group | None = None

    async def write(self, messages: Sequence[OutboundMessage]) -> None:
        """Write messages after those of earlier calls. Returning means that all of them are confirmed.

        A call may be cancelled. If its write has not started, its messages are left out; a write is cancelled with its
        last caller.
        """
        group = self._gathering
        if group is None:
            group = self._gathering = _Group()
            group.task = asyncio.create_task(self._write_group(group))
        group.runs.append(messages)
        group.waiting += 1
        try:
            await asyncio.shield(group.task)
        except asyncio.CancelledError:
            await self._leave(group, messages)
            raise

    async def _write_group(self, group: _Group) -> None:
        async with self._turn:
            self._gathering = None
            await self._write([message for run in group.runs for message in run])

    async def _leave(self, group: _Group, messages: Sequence[OutboundMessage]) -> None:
        """Remove a cancelled caller's messages. Without other callers, cancel the write and wait until it has ended."""
        group.waiting -= 1
        group.runs = [run for run in group.runs if run is not messages]
        if not group.waiting:
            if self._gathering is group:
                self._gathering = None
            group.task.cancel()
            await asyncio.wait({group.task})


class _Group:
    """The messages of one write, and how many callers wait for it."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.runs: list[Sequence[OutboundMessage]] = []
        self.waiting = 0


class SamePartition:
    """Writes records to the partition with the number of their source: the raw topic is already keyed by user."""

    def __init__(self, producer: BatchProducer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        """Hand records over without waiting (`BatchProducer.hand_over`)."""
        return await self._producer.hand_over(self._topic, source_partition, records)

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records in order. Returning means that the broker has confirmed every one of them."""
        if records:
            await self._producer.write(self._topic, source_partition, records, handed=handed)

    def repeats(self, source_partition: int) -> bool:
        """Return whether a write of a source partition's records is being retried."""
        return self._producer.repeats(self._topic, source_partition)


class Repartition:
    """Writes each record to the partition that Kafka's default partitioner gives its key.

    Source partitions share the partitions that they write to. So records that come from several of them at the same
    time are one write, and a write that is retried delays all of them.
    """

    def __init__(self, producer: BatchProducer, *, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._writes = [SharedWrites(partial(producer.write, topic, partition)) for partition in range(partitions)]
        self._under_way: dict[int, Collection[int]] = {}

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> None:
        """Return None, because other source partitions write to the same partitions: `store` must be used."""

    def repeats(self, source_partition: int) -> bool:
        """Return whether a write of a source partition's records is being retried."""
        partitions = self._under_way.get(source_partition, ())
        return any(self._producer.repeats(self._topic, partition) for partition in partitions)

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records, in order within each partition. Returning means that every one of them is confirmed."""
        del handed
        runs: dict[int, list[OutboundMessage]] = {}
        for record in records:
            runs.setdefault(partition_for(record.key or b"", len(self._writes)), []).append(record)
        self._under_way[source_partition] = runs.keys()
        try:
            await asyncio.gather(*(self._writes[partition].write(run) for partition, run in runs.items()))
        finally:
            del self._under_way[source_partition]
