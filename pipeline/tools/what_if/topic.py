"""Read traffic from the raw topic beside live workers, without a consumer group, so no committed offset changes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import aiokafka
from aiokafka.errors import KafkaError

from pipeline.kafka.errors import WENT_AWAY, KafkaUnreachableError, TopicsError
from pipeline.kafka.fetched.reading import read_safely
from pipeline.kafka.topics import describe_topics
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pipeline.core.messages import Message
    from pipeline.kafka.connection import ConnectionOptions

_START_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 60.0
_POLL_MILLISECONDS: Final = 500
_MOST_MESSAGES: Final = 5_000
_FETCH_BYTES: Final = 4 * 1_048_576

Offsets = dict[Any, int]


class TopicSource:
    """A topic from a time on, up to its end offsets at the start (`pipeline.tools.what_if.sources.Source`).

    `done` and `total` count offsets.
    """

    def __init__(self, consumer: aiokafka.AIOKafkaConsumer, *, title: str, begins: Offsets, ends: Offsets) -> None:
        """Read from `begins` to `ends`, by partition, with a consumer that is assigned and positioned."""
        self._consumer = consumer
        self._begins = begins
        self._ends = {partition: end for partition, end in ends.items() if begins[partition] < end}
        self._at = dict(begins)
        self.title = title
        self.total = sum(end - begins[partition] for partition, end in self._ends.items())

    @property
    def done(self) -> int:
        """How many offsets have been read."""
        return sum(min(self._at[each], end) - self._begins[each] for each, end in self._ends.items())

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Yield the messages of each fetch.

        Raises:
            KafkaUnreachableError: Kafka no longer answers.
            UnreadableTopicError: a batch of the topic cannot be read.
        """
        clock = asyncio.get_running_loop().time
        moved_at = clock()
        while left := [partition for partition, end in self._ends.items() if self._at[partition] < end]:
            try:
                fetched: Mapping[Any, Sequence[Message]] = await self._consumer.getmany(
                    *left, timeout_ms=_POLL_MILLISECONDS, max_records=_MOST_MESSAGES
                )
                for partition in left:
                    # The position also passes offsets without messages: of transactions, and compacted or deleted ones.
                    position = await self._consumer.position(partition)
                    moved_at = clock() if position > self._at[partition] else moved_at
                    self._at[partition] = position
            except KafkaError as error:
                raise KafkaUnreachableError(WENT_AWAY) from error
            for partition, messages in fetched.items():
                end = self._ends[partition]
                within = messages if messages[-1].offset < end else [each for each in messages if each.offset < end]
                if self._at[partition] >= end:
                    self._consumer.pause(partition)
                if within:
                    yield within
            if clock() - moved_at > _SILENCE_SECONDS:
                raise KafkaUnreachableError(WENT_AWAY)


@asynccontextmanager
async def open_topic(connection: ConnectionOptions, topic: str, *, since_ms: int | None) -> AsyncIterator[TopicSource]:
    """Open the raw topic at the first message at or after a time; None is the start of the topic.

    Raises:
        KafkaUnreachableError: Kafka does not answer.
        TopicsError: the topic does not exist, a partition has no leader, or the cluster cannot look up times.
    """
    found = (await describe_topics(connection)).get(topic)
    if found is None:
        raise TopicsError(
            [f"Topic `{topic}` does not exist, or this user may not see it: correct {variable('raw_topic')}."]
        )
    if found.leaderless:
        numbers = ", ".join(map(str, found.leaderless))
        raise TopicsError([f"Topic `{topic}` has no leader for partition {numbers}: check the brokers that host it."])
    consumer = aiokafka.AIOKafkaConsumer(
        **connection,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # applies if retention deletes messages while they are being read
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        partitions = [aiokafka.TopicPartition(topic, number) for number in range(found.partitions)]
        try:
            async with asyncio.timeout(_START_SECONDS):
                await consumer.start()
                read_safely(consumer)
                consumer.assign(partitions)
                ends = await consumer.end_offsets(partitions)
                begins = await _begins(consumer, partitions, ends, since_ms)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnreachableError(WENT_AWAY) from error
        for partition, offset in begins.items():
            consumer.seek(partition, offset)
        yield TopicSource(consumer, title=_title(topic, since_ms), begins=begins, ends=ends)
    finally:
        await consumer.stop()


async def _begins(
    consumer: aiokafka.AIOKafkaConsumer, partitions: Sequence[Any], ends: Offsets, since_ms: int | None
) -> Offsets:
    if since_ms is None:
        begins: Offsets = await consumer.beginning_offsets(partitions)
        return begins
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
    if not any(found.values()):
        await _check_times(consumer, partitions, ends)
    return {partition: ends[partition] if at is None else at.offset for partition, at in found.items()}


async def _check_times(consumer: aiokafka.AIOKafkaConsumer, partitions: Sequence[Any], ends: Offsets) -> None:
    """Raise `TopicsError` if the cluster finds no message since 1970 in a topic with messages: it ignores times."""
    starts = await consumer.beginning_offsets(partitions)
    filled = [partition for partition in partitions if starts[partition] < ends[partition]]
    if filled and not any((await consumer.offsets_for_times(dict.fromkeys(filled, 0))).values()):
        raise TopicsError(
            [
                (
                    f"Topic `{filled[0].topic}` cannot be read from a time on: this cluster, like the embedded broker, "
                    "does not look up times."
                )
            ]
        )


def _title(topic: str, since_ms: int | None) -> str:
    if since_ms is None:
        return f"topic {topic}"
    since = datetime.fromtimestamp(since_ms / 1000, UTC)
    return f"topic {topic} since {since:%Y-%m-%d %H:%M} UTC"
