"""Watch the progress of every reader: poll offsets from the broker while the demo runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.local.demo_errors import DemoError, StandstillError
from pipeline.local.traffic_window import EvictionError, TopicOffsets, check_nothing_was_dropped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pipeline.local.demo_destinations import Names
    from pipeline.local.demo_observer import Observer
    from pipeline.local.traffic_window import Window

POLL_SECONDS: Final = 0.2
STANDSTILL_SECONDS: Final = 60.0
"""Longer than a group needs to detect a killed member, and longer than the longest backoff of the demo's sink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Offsets of one destination's topics: raw (its processor), records (its sink) and dead letters (the observer)."""

    raw: TopicOffsets
    records: TopicOffsets
    dead_letters: TopicOffsets
    records_observed: Mapping[int, int]

    def settled(self) -> bool:
        """Return whether every reader has read all that was written."""
        return not (self.raw.total_unread() or self.records.total_unread() or self.dead_letters.total_unread()) and sum(
            self.records.high.values()
        ) == sum(self.records_observed.values())

    def progress(self) -> tuple[int, int, int]:
        """Return messages written, messages settled by the processor, records settled by the sink."""
        return sum(self.raw.high.values()), sum(self.raw.read.values()), sum(self.records.read.values())


@dataclass(slots=True, kw_only=True)
class Watch:
    """Poll the offsets of one destination, advance its window, and detect evictions and a standstill."""

    title: str
    names: Names
    partitions: int
    window: Window
    observer: Observer
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    on_snapshot: Callable[[Snapshot], None]
    snapshot: Snapshot | None = None
    _changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            DemoError: the broker dropped unread messages, nothing progresses, or the observer failed.
        """
        moved_at, last = asyncio.get_running_loop().time(), (-1, -1, -1)
        while True:
            snapshot = await self._poll()
            self._check(snapshot)
            slowest = {
                number: min(read, snapshot.records_observed.get(number, 0))
                for number, read in snapshot.records.read.items()
            }
            records = TopicOffsets(low=snapshot.records.low, high=snapshot.records.high, read=slowest)
            self.window.settled(snapshot.raw, records)
            self.snapshot = snapshot
            self.on_snapshot(snapshot)
            self._notify()
            now = asyncio.get_running_loop().time()
            if snapshot.progress() != last or snapshot.settled():
                moved_at, last = now, snapshot.progress()
            elif now - moved_at > STANDSTILL_SECONDS:
                written, processed, accepted = last
                raise StandstillError(
                    f"{self.title}: no progress for {STANDSTILL_SECONDS:.0f} s: {written:,} messages written, "
                    f"{processed:,} settled by the processor, {accepted:,} records settled by the sink"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def next_snapshot(self) -> Snapshot:
        """Wait for the next snapshot."""
        while True:
            await self._changed.wait()
            if self.snapshot is not None:
                return self.snapshot

    async def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait until a snapshot meets a condition, and return it."""
        while True:
            snapshot = await self.next_snapshot()
            if condition(snapshot):
                return snapshot

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _check(self, snapshot: Snapshot) -> None:
        if self.observer.fault is not None:
            raise DemoError(f"the observer stopped: {self.observer.fault}")
        try:
            check_nothing_was_dropped(self.names.raw_topic, snapshot.raw)
            check_nothing_was_dropped(self.names.records_topic, snapshot.records)
            check_nothing_was_dropped(self.names.dead_letter_topic, snapshot.dead_letters)
        except EvictionError as error:
            raise DemoError(str(error)) from error

    async def _poll(self) -> Snapshot:
        # Read offsets come first and end offsets second, so a reader never seems to be ahead of the writer.
        raw_read = await self._committed(self.names.processor_group, self.names.raw_topic)
        records_read = await self._committed(self.names.sink_group, self.names.records_topic)
        observed = self.observer.observed
        records_observed = dict(observed.records_read)
        dead_letters_read = dict(observed.dead_letters_read)
        return Snapshot(
            raw=await self._offsets(self.names.raw_topic, raw_read),
            records=await self._offsets(self.names.records_topic, records_read),
            dead_letters=await self._offsets(self.names.dead_letter_topic, dead_letters_read),
            records_observed=records_observed,
        )

    def _all(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    async def _offsets(self, topic: str, read: Mapping[int, int]) -> TopicOffsets:
        low = await self.consumer.beginning_offsets(self._all(topic))
        high = await self.consumer.end_offsets(self._all(topic))
        return TopicOffsets(
            low={key.partition: offset for key, offset in low.items()},
            high={key.partition: offset for key, offset in high.items()},
            read=read,
        )

    async def _committed(self, group: str, topic: str) -> dict[int, int]:
        found = await self.admin.list_consumer_group_offsets(group, partitions=self._all(topic))
        return {key.partition: max(0, commit.offset) for key, commit in found.items()}


@asynccontextmanager
async def watching(
    *,
    bootstrap_servers: str,
    title: str,
    names: Names,
    partitions: int,
    window: Window,
    observer: Observer,
    on_snapshot: Callable[[Snapshot], None],
) -> AsyncIterator[Watch]:
    """Connect a watch to the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
            yield Watch(
                title=title,
                names=names,
                partitions=partitions,
                window=window,
                observer=observer,
                consumer=consumer,
                admin=admin,
                on_snapshot=on_snapshot,
            )
    finally:
        await admin.close()
