"""Write traffic to the raw topic in whole batches, within the limits of the window."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from aiokafka import AIOKafkaProducer

from pipeline.kafka.partitioner import partition_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from types import TracebackType

    from aiokafka.producer.message_accumulator import BatchBuilder
    from aiokafka.structs import RecordMetadata

    from pipeline.local.traffic_truth import TrafficMessage, Truth
    from pipeline.local.traffic_window import Window

BATCH_BYTES: Final = 128 * 1024
_CHUNK: Final = 500  # messages between two switches to other tasks


class TrafficWriteError(Exception):
    """The broker stored a batch at another offset than the generator expects."""


@dataclass(slots=True, kw_only=True)
class TrafficWriter:
    """Write messages by key, to the partition of Kafka's default partitioner; use it with ``async with``.

    There is a truth and a window for each destination. ``wait_for_room`` returns after a window may have changed.
    """

    bootstrap_servers: str
    topic: str
    partitions: int
    truths: Sequence[Truth]
    windows: Sequence[Window]
    wait_for_room: Callable[[], Awaitable[object]]
    _producer: AIOKafkaProducer = field(init=False)
    _open: dict[int, BatchBuilder] = field(init=False, default_factory=dict)
    _pending: list[tuple[int, int, asyncio.Future[RecordMetadata]]] = field(init=False, default_factory=list)
    _starts: dict[int, int] = field(init=False, default_factory=dict)
    _partitions_by_key: dict[bytes, int] = field(init=False, default_factory=dict)
    _keyless: int = field(init=False, default=0)
    _at_ms: int = field(init=False, default_factory=lambda: time.time_ns() // 1_000_000)
    """The time of all messages. With a single time all of them belong to one billing month."""

    async def __aenter__(self) -> Self:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def write(self, messages: Iterable[TrafficMessage]) -> None:
        """Write all messages and return when the broker has confirmed all of them.

        Raises:
            TrafficWriteError: the broker stored a batch at an unexpected offset.
        """
        for number, message in enumerate(messages, 1):
            await self._append(message)
            if number % _CHUNK == 0:
                await self._confirm(everything=False)
                await asyncio.sleep(0)  # lets other tasks run even if there is always room
        for partition in list(self._open):
            await self._send(partition)
        await self._confirm(everything=True)

    async def _append(self, message: TrafficMessage) -> None:
        partition = self._partition_of(message.key)
        builder = self._open.get(partition) or self._open.setdefault(partition, self._producer.create_batch())
        if builder.append(key=message.key, value=message.value, timestamp=self._at_ms) is None:
            await self._send(partition)
            builder = self._open[partition] = self._producer.create_batch()
            builder.append(key=message.key, value=message.value, timestamp=self._at_ms)
        for truth in self.truths:
            truth.add(message, partition)

    def _partition_of(self, key: bytes | None) -> int:
        if key is None:
            self._keyless += 1
            return self._keyless % self.partitions
        partition = self._partitions_by_key.get(key)
        if partition is None:
            partition = self._partitions_by_key[key] = partition_for(key, self.partitions)
        return partition

    async def _send(self, partition: int) -> None:
        builder = self._open.pop(partition)
        messages, size = builder.record_count(), builder.size()
        while not all(window.has_room(partition, messages=messages, size=size) for window in self.windows):
            await self.wait_for_room()
        for window in self.windows:
            window.wrote(partition, messages=messages, size=size)
        start = self._starts.get(partition, 0)
        self._starts[partition] = start + messages
        confirmation = await self._producer.send_batch(builder, self.topic, partition=partition)
        self._pending.append((partition, start, confirmation))

    async def _confirm(self, *, everything: bool) -> None:
        waiting: list[tuple[int, int, asyncio.Future[RecordMetadata]]] = []
        for partition, start, confirmation in self._pending:
            if not everything and not confirmation.done():
                waiting.append((partition, start, confirmation))
                continue
            stored = await confirmation
            if stored.offset != start:
                raise TrafficWriteError(
                    f"a batch for offset {start} of {self.topic} {partition} was stored at {stored.offset}: "
                    "another producer writes to this topic, or it was not empty"
                )
        self._pending = waiting
