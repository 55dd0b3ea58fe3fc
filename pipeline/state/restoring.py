"""Read back who is tracked: the marks of a partition, and the users whom others have fed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.state.partition_memory import MarksReader, take_feed
from pipeline.state.reading import read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.state.entries import EntryCodec
    from pipeline.state.partition_memory import PartitionMemory

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedUsersTopics:
    """Where tracked users are kept, and where others tell of more; ``feed`` None is nowhere."""

    topic: str
    codec: EntryCodec
    feed: str | None = None


async def read_marks(
    connection: ConnectionOptions, topics: TrackedUsersTopics, partition: int, memory: PartitionMemory
) -> None:
    """Read back the marks and sketches of a partition.

    Raises:
        KafkaUnreachableError: Kafka does not answer; try again with a new memory.
        ForeignEntryError: the topic was written with another secret, or by a newer version.
    """
    marks = MarksReader(topics.codec, memory)
    await read_to_end(connection, topics.topic, partition, marks.take)
    former = marks.load()
    if former:
        logger.warning(
            "the raw topic was made anew: users whom the former one marked count as tracked from its start",
            partition=partition,
            users=former,
        )


def feed_taker(topics: TrackedUsersTopics, partition: int, memory: PartitionMemory) -> Callable[[Sequence[Any]], None]:
    """Make what takes entries of the feed into a memory, and says when some mean nothing to it."""

    def take(records: Sequence[Any]) -> None:
        foreign = take_feed(memory, records, topics.codec.fingerprint)
        if foreign:
            logger.warning(
                "entries of the feed have no key, or were hashed with another secret, and mark nobody: import those "
                "users again by their ids",
                topic=topics.feed,
                partition=partition,
                entries=foreign,
            )

    return take


def in_time(
    memory: PartitionMemory, now_ms: Callable[[], int], take: Callable[[Sequence[Any]], None]
) -> Callable[[Sequence[Any]], None]:
    """Tell a memory the time before it takes what comes: a month may begin in the feed, long before a raw message."""

    def take_in_time(records: Sequence[Any]) -> None:
        memory.advance(now_ms())
        take(records)

    return take_in_time
