"""Where forwarded records go: the partition they came from, or the one that their key hashes to."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from pipeline.kafka.partitioner import partition_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from pipeline.kafka.producer import BatchProducer, Handed, OutboundMessage


class SharedWrites:
    """Writes of several to one partition: what comes while one is under way becomes the next, together."""

    def __init__(self, write: Callable[[Sequence[OutboundMessage]], Awaitable[None]]) -> None:
        """`write` stores messages in order, and returns when every one of them is confirmed."""
        self._write = write
        self._turn = asyncio.Lock()
        self._gathering: _Group | None = None

    async def write(self, messages: Sequence[OutboundMessage]) -> None:
        """Write messages behind those that came before; returning means that all of them are confirmed.

        It may be cancelled. Entries whose write has not begun are left out then; a write ends when nobody waits for it.
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
        """Go on without one that was cancelled; return when its messages are written no more, if nobody else waits."""
        group.waiting -= 1
        group.runs = [run for run in group.runs if run is not messages]
        if not group.waiting:
            if self._gathering is group:
                self._gathering = None
            group.task.cancel()
            await asyncio.wait({group.task})


class _Group:
    """The messages of one write, and how many wait for it."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.runs: list[Sequence[OutboundMessage]] = []
        self.waiting = 0


class SamePartition:
    """Writes records to the partition number of their source: the raw topic is keyed by user already."""

    def __init__(self, producer: BatchProducer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        """Hand records over without waiting for anything (`BatchProducer.hand_over`)."""
        return await self._producer.hand_over(self._topic, source_partition, records)

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records in order; returning means the broker has confirmed every one of them."""
        if records:
            await self._producer.write(self._topic, source_partition, records, handed=handed)

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's records is being repeated."""
        return self._producer.repeats(self._topic, source_partition)


class Repartition:
    """Writes each record to the partition that Kafka's default partitioner gives its key.

    Source partitions share the partitions that they write to, so what several of them have at the same time is one
    write, and one that is repeated delays all of them.
    """

    def __init__(self, producer: BatchProducer, *, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._writes = [SharedWrites(partial(producer.write, topic, partition)) for partition in range(partitions)]
        self._under_way: dict[int, Collection[int]] = {}

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> None:
        """Hand nothing over: other source partitions write to the same ones."""

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's records is being repeated."""
        partitions = self._under_way.get(source_partition, ())
        return any(self._producer.repeats(self._topic, partition) for partition in partitions)

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records, in order within each partition; returning means every one of them is confirmed."""
        del handed
        runs: dict[int, list[OutboundMessage]] = {}
        for record in records:
            runs.setdefault(partition_for(record.key or b"", len(self._writes)), []).append(record)
        self._under_way[source_partition] = runs.keys()
        try:
            await asyncio.gather(*(self._writes[partition].write(run) for partition, run in runs.items()))
        finally:
            del self._under_way[source_partition]
