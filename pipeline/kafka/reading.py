"""Read a partition of a compacted topic from its start to the end that it has now, without a consumer group."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiokafka
from aiokafka.errors import KafkaError

from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.kafka.fetched.reading import read_safely

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pipeline.kafka.connection import ConnectionOptions

POLL_MS: Final = 500
STALL_SECONDS: Final = 30.0
"""A read that brings nothing for so long is given up, so that a hold can say why."""
FETCH_BYTES: Final = 4 * 1024 * 1024
MOST_AT_ONCE: Final = 2_000
"""Messages between two looks at the event loop: about six milliseconds; several partitions are read at once."""
CLOSE_SECONDS: Final = 5.0
"""How long the end of a program waits for a start that was given up."""
_LEAVING: Final[set[asyncio.Task[None]]] = set()


@asynccontextmanager
async def open_consumer(connection: ConnectionOptions) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
    """Connect a consumer without a group, for partitions that are assigned by hand; it is closed in the end.

    aiokafka forgets the connection of a start that is cancelled, so such a start ends by itself and is closed then;
    who gave up, as when a partition is taken away, does not wait for that (`until_closed` does).
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **connection,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # what retention has removed since the start was asked for is not missed
        client_id="onesignal-pipeline-state",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=POLL_MS,
    )
    starting = asyncio.ensure_future(consumer.start())
    try:
        await asyncio.shield(starting)
        read_safely(consumer)
        yield consumer
    finally:
        leaving = asyncio.create_task(_close(consumer, starting))
        _LEAVING.add(leaving)
        leaving.add_done_callback(_LEAVING.discard)
        if starting.done():
            await asyncio.shield(leaving)


async def until_closed() -> None:
    """Wait for consumers whose start was given up, within a bound: a loop that ends first would leave them open."""
    if _LEAVING:
        await asyncio.wait(_LEAVING, timeout=CLOSE_SECONDS)


async def _close(consumer: aiokafka.AIOKafkaConsumer, starting: asyncio.Future[None]) -> None:
    await asyncio.gather(starting, return_exceptions=True)
    await consumer.stop()


async def read_to_end(
    connection: ConnectionOptions, topic: str, partition: int, take: Callable[[Sequence[Any]], None]
) -> int:
    """Hand the messages of a partition on in runs; return the position after the last one.

    Raises:
        KafkaUnreachableError: Kafka does not answer, or nothing comes for too long.
        UnreadableTopicError: a batch of it cannot be read.
    """
    place = aiokafka.TopicPartition(topic, partition)
    try:
        async with open_consumer(connection) as consumer:
            consumer.assign([place])
            position = (await consumer.beginning_offsets([place]))[place]
            end = (await consumer.end_offsets([place]))[place]
            consumer.seek(place, position)
            while position < end:
                async with asyncio.timeout(STALL_SECONDS):
                    records = await _some(consumer, place)
                position = await consumer.position(place)
                take(records)
                await asyncio.sleep(0)  # what has come already is handed on without a pause
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnreachableError(
            f"topic `{topic}`, partition {partition}, cannot be read back ({type(error).__name__}): is Kafka away?"
        ) from error
    return int(position)


async def _some(consumer: aiokafka.AIOKafkaConsumer, place: aiokafka.TopicPartition) -> Sequence[Any]:
    """Wait for messages; none where all that was left has been compacted away."""
    before = await consumer.position(place)
    while True:
        found = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=MOST_AT_ONCE)
        records: Sequence[Any] = found.get(place, ())
        if records or await consumer.position(place) > before:
            return records
