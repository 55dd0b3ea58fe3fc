"""Read a partition of a compacted topic from its start to its present end, without a consumer group."""

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
"""A read that returns no messages for this long is abandoned, so that a hold can report the reason."""
FETCH_BYTES: Final = 4 * 1024 * 1024
MOST_AT_ONCE: Final = 2_000
"""Messages between two turns of the event loop: about six milliseconds. Several partitions are read at once."""
CLOSE_SECONDS: Final = 5.0
"""How long a program waits at its end for consumers whose start was cancelled."""
_LEAVING: Final[set[asyncio.Task[None]]] = set()


@asynccontextmanager
async def open_consumer(connection: ConnectionOptions) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
    """Connect a consumer without a group, for partitions that are assigned by hand; closed on exit.

    aiokafka leaks the connection when `start` is cancelled. So a start is never cancelled: it completes in the
    background and is closed then. A caller that is cancelled, for example because its partition was revoked, does not
    wait for that; `until_closed` does.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **connection,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # retention may remove messages after the start was asked for
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
    """Wait, at most `CLOSE_SECONDS`, for consumers whose start was cancelled; ending the loop would leave them open."""
    if _LEAVING:
        await asyncio.wait(_LEAVING, timeout=CLOSE_SECONDS)


async def _close(consumer: aiokafka.AIOKafkaConsumer, starting: asyncio.Future[None]) -> None:
    await asyncio.gather(starting, return_exceptions=True)
    await consumer.stop()


async def read_to_end(
    connection: ConnectionOptions, topic: str, partition: int, take: Callable[[Sequence[Any]], None]
) -> int:
    """Call `take` with the messages of a partition, in runs; return the position after the last message.

    Raises:
        KafkaUnreachableError: Kafka does not answer, or returns no messages for too long.
        UnreadableTopicError: a batch cannot be read.
    """
    target = aiokafka.TopicPartition(topic, partition)
    try:
        async with open_consumer(connection) as consumer:
            consumer.assign([target])
            position = (await consumer.beginning_offsets([target]))[target]
            end = (await consumer.end_offsets([target]))[target]
            consumer.seek(target, position)
            while position < end:
                async with asyncio.timeout(STALL_SECONDS):
                    records = await _some(consumer, target)
                position = await consumer.position(target)
                take(records)
                await asyncio.sleep(0)  # `getmany` does not yield when messages are already fetched
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnreachableError(
            f"topic `{topic}`, partition {partition}, cannot be read ({type(error).__name__}): is Kafka away?"
        ) from error
    return int(position)


async def _some(consumer: aiokafka.AIOKafkaConsumer, target: aiokafka.TopicPartition) -> Sequence[Any]:
    """Return the next messages; none if everything up to the end was compacted away."""
    before = await consumer.position(target)
    while True:
        found = await consumer.getmany(target, timeout_ms=POLL_MS, max_records=MOST_AT_ONCE)
        records: Sequence[Any] = found.get(target, ())
        if records or await consumer.position(target) > before:
            return records
