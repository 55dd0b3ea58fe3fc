"""Read traffic from the raw topic beside the live group: without a group, so nobody's offsets are touched."""

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

Places = dict[Any, int]


class TopicSource:
    """What a topic holds from a time on, up to its ends at the beginning (`pipeline.tools.what_if.sources.Source`).

    `done` and `total` are offsets.
    """

    def __init__(self, consumer: aiokafka.AIOKafkaConsumer, *, title: str, begins: Places, ends: Places) -> None:
        """Take a consumer that is assigned and positioned, and where each partition begins and ends."""
        self._consumer = consumer
        self._begins = begins
        self._ends = {place: end for place, end in ends.items() if begins[place] < end}
        self._at = dict(begins)
        self.title = title
        self.total = sum(end - begins[place] for place, end in self._ends.items())

    @property
    def done(self) -> int:
        """How many offsets were passed."""
        return sum(min(self._at[place], end) - self._begins[place] for place, end in self._ends.items())

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Give what each fetch brings.

        Raises:
            KafkaUnreachableError: Kafka does not answer any more.
            UnreadableTopicError: a batch of the topic cannot be read.
        """
        clock = asyncio.get_running_loop().time
        moved_at = clock()
        while left := [place for place, end in self._ends.items() if self._at[place] < end]:
            try:
                fetched: Mapping[Any, Sequence[Message]] = await self._consumer.getmany(
                    *left, timeout_ms=_POLL_MILLISECONDS, max_records=_MOST_MESSAGES
                )
                for place in left:
                    # Also past what is not given: offsets of transactions, and what was compacted or removed.
                    position = await self._consumer.position(place)
                    moved_at = clock() if position > self._at[place] else moved_at
                    self._at[place] = position
            except KafkaError as error:
                raise KafkaUnreachableError(WENT_AWAY) from error
            for place, messages in fetched.items():
                end = self._ends[place]
                within = messages if messages[-1].offset < end else [each for each in messages if each.offset < end]
                if self._at[place] >= end:
                    self._consumer.pause(place)
                if within:
                    yield within
            if clock() - moved_at > _SILENCE_SECONDS:
                raise KafkaUnreachableError(WENT_AWAY)


@asynccontextmanager
async def open_topic(connection: ConnectionOptions, topic: str, *, since_ms: int | None) -> AsyncIterator[TopicSource]:
    """Open the raw topic, from the first message at or after a time; None is what it still holds.

    Raises:
        KafkaUnreachableError: Kafka does not answer.
        TopicsError: there is no such topic, a partition has no leader, or the cluster knows no times.
    """
    found = (await describe_topics(connection)).get(topic)
    if found is None:
        raise TopicsError(
            [f"Topic `{topic}` does not exist, or this user may not see it: correct {variable('raw_topic')}."]
        )
    if found.leaderless:
        numbers = ", ".join(map(str, found.leaderless))
        raise TopicsError([f"Topic `{topic}` has no leader for partition {numbers}: see to the brokers that keep it."])
    consumer = aiokafka.AIOKafkaConsumer(
        **connection,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where retention removes what is being read
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        places = [aiokafka.TopicPartition(topic, number) for number in range(found.partitions)]
        try:
            async with asyncio.timeout(_START_SECONDS):
                await consumer.start()
                read_safely(consumer)
                consumer.assign(places)
                ends = await consumer.end_offsets(places)
                begins = await _begins(consumer, places, ends, since_ms)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnreachableError(WENT_AWAY) from error
        for place, offset in begins.items():
            consumer.seek(place, offset)
        yield TopicSource(consumer, title=_title(topic, since_ms), begins=begins, ends=ends)
    finally:
        await consumer.stop()


async def _begins(
    consumer: aiokafka.AIOKafkaConsumer, places: Sequence[Any], ends: Places, since_ms: int | None
) -> Places:
    if since_ms is None:
        begins: Places = await consumer.beginning_offsets(places)
        return begins
    found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    if not any(found.values()):
        await _check_times(consumer, places, ends)
    return {place: ends[place] if at is None else at.offset for place, at in found.items()}


async def _check_times(consumer: aiokafka.AIOKafkaConsumer, places: Sequence[Any], ends: Places) -> None:
    """Refuse a cluster that finds no message since 1970 in a topic that holds some: it does not look."""
    starts = await consumer.beginning_offsets(places)
    held = [place for place in places if starts[place] < ends[place]]
    if held and not any((await consumer.offsets_for_times(dict.fromkeys(held, 0))).values()):
        raise TopicsError(
            [f"Topic `{held[0].topic}` cannot be read from a time on in this cluster (the embedded broker is one)."]
        )


def _title(topic: str, since_ms: int | None) -> str:
    if since_ms is None:
        return f"topic {topic}"
    since = datetime.fromtimestamp(since_ms / 1000, UTC)
    return f"topic {topic} since {since:%Y-%m-%d %H:%M} UTC"
