"""Follow partitions as they grow, with one consumer for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiokafka
import structlog
from aiokafka.errors import KafkaError

from pipeline.kafka.errors import UnreadableTopicError
from pipeline.kafka.reading import MOST_AT_ONCE, POLL_MS, open_consumer, until_closed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.kafka.connection import ConnectionOptions

logger = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 5.0
UNREADABLE_SECONDS: Final = 60.0
"""After this long, an unreadable partition is tried again. The others are followed in the meantime."""


class Follower:
    """Reads on from given positions until it is closed; retries while Kafka is away."""

    def __init__(self, connection: ConnectionOptions) -> None:
        self._connection = connection
        self._takers: dict[aiokafka.TopicPartition, Callable[[Sequence[Any]], None]] = {}
        self._positions: dict[aiokafka.TopicPartition, int] = {}
        self._left_out: dict[aiokafka.TopicPartition, float] = {}
        self._changed = False
        self._task: asyncio.Task[None] | None = None

    def follow(self, topic: str, partition: int, position: int, take: Callable[[Sequence[Any]], None]) -> None:
        """Pass the messages of a partition to `take` in runs, from a position on."""
        target = aiokafka.TopicPartition(topic, partition)
        self._takers[target] = take
        self._positions[target] = position
        self._changed = True
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="follow")

    def leave(self, topic: str, partition: int) -> None:
        """Stop following a partition."""
        target = aiokafka.TopicPartition(topic, partition)
        if self._takers.pop(target, None) is not None:
            del self._positions[target]
            self._changed = True

    def check(self) -> None:
        """Raise the error that ended the reader, if any."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Stop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await until_closed()

    async def _run(self) -> None:
        while True:
            try:
                await self._read_on()
            except (KafkaError, OSError) as error:
                logger.warning("cannot follow what others write, trying again", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_on(self) -> None:
        async with open_consumer(self._connection) as consumer:
            self._changed = True
            while True:
                if self._changed or self._may_be_tried_again():
                    self._assign(consumer)
                if not self._readable():
                    await asyncio.sleep(POLL_MS / 1000)
                    continue
                try:
                    found = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_AT_ONCE)
                except UnreadableTopicError as error:
                    self._leave_out(error)
                    continue
                for target, records in found.items():
                    take = self._takers.get(target)
                    if take is not None:
                        take(records)
                        self._positions[target] = records[-1].offset + 1
                        await asyncio.sleep(0)  # `getmany` returns what was fetched before without a pause

    def _readable(self) -> list[aiokafka.TopicPartition]:
        return [target for target in self._takers if target not in self._left_out]

    def _leave_out(self, error: UnreadableTopicError) -> None:
        """Follow only the others, each from its own position: aiokafka drops the rest of this answer."""
        logger.warning("cannot follow what others write to a partition", error=str(error))
        self._left_out[aiokafka.TopicPartition(*error.partition)] = (
            asyncio.get_running_loop().time() + UNREADABLE_SECONDS
        )
        self._changed = True

    def _may_be_tried_again(self) -> bool:
        return min(self._left_out.values(), default=float("inf")) <= asyncio.get_running_loop().time()

    def _assign(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        self._changed = False
        now = asyncio.get_running_loop().time()
        self._left_out = {target: until for target, until in self._left_out.items() if until > now}
        if targets := self._readable():
            consumer.assign(targets)
        for target in targets:
            consumer.seek(target, self._positions[target])
