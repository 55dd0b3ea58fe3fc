"""Read back tracked users: the marks of a partition, and the users from the feed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.core.tracking import BEFORE_THE_LOG
from pipeline.kafka.reading import read_to_end
from pipeline.state.marks_read_back import MarksReadBack
from pipeline.state.partition_state import MarksReader, take_feed
from pipeline.state.tracked_users import packed_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.state.partition_state import PartitionState
    from pipeline.state.stored_marks import MarkCodec

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedUsersTopics:
    """Where tracked users are stored, and the topic from which others add more; ``feed`` is None without one."""

    topic: str
    codec: MarkCodec
    feed: str | None = None


async def read_marks(
    connection: ConnectionOptions, topics: TrackedUsersTopics, partition: int, state: PartitionState
) -> None:
    """Read back the marks and sketches of a partition.

    Raises:
        KafkaUnreachableError: Kafka does not answer; try again with an empty state.
        ForeignStateError: the topic was written with another secret, or by a newer version.
    """
    marks = MarksReader(topics.codec, state)
    await read_to_end(connection, topics.topic, partition, marks.take)
    await _step_by_step(marks.load_marks())
    if marks.former:
        logger.warning(
            "the raw topic was recreated: users that the previous topic marked count as tracked from its start",
            partition=partition,
            users=marks.former,
        )


async def read_feed(
    connection: ConnectionOptions, topics: TrackedUsersTopics, feed: str, partition: int, state: PartitionState
) -> int:
    """Read back the users that the feed adds to a partition; return the position after the last message.

    Raises:
        KafkaUnreachableError: Kafka does not answer; try again with an empty state.
    """
    marks = MarksReadBack(state.users)

    def mark(user: int, month: int) -> None:
        marks.add(month, packed_mark(user.to_bytes(8, "big"), BEFORE_THE_LOG))

    position = await read_to_end(connection, feed, partition, _taker(topics, partition, state, mark))
    await _step_by_step(marks.load_marks())
    return position


def feed_taker(topics: TrackedUsersTopics, partition: int, state: PartitionState) -> Callable[[Sequence[Any]], None]:
    """Return a function that adds feed messages to a state, and logs a warning for those that it cannot use."""

    def mark(user: int, month: int) -> None:
        state.users.mark(user, month, BEFORE_THE_LOG)

    return _taker(topics, partition, state, mark)


def _taker(
    topics: TrackedUsersTopics, partition: int, state: PartitionState, mark: Callable[[int, int], None]
) -> Callable[[Sequence[Any]], None]:
    def take(records: Sequence[Any]) -> None:
        foreign = take_feed(state.users, records, topics.codec.fingerprint, mark)
        if foreign:
            logger.warning(
                "messages of the feed have no key, or were hashed with another secret, and mark nobody: import those "
                "users again by their ids",
                topic=topics.feed,
                partition=partition,
                entries=foreign,
            )

    return take


async def _step_by_step(steps: Iterator[None]) -> None:
    """Yield to the event loop after each step."""
    for _ in steps:
        await asyncio.sleep(0)


def in_time(
    state: PartitionState, now_ms: Callable[[], int], take: Callable[[Sequence[Any]], None]
) -> Callable[[Sequence[Any]], None]:
    """Return `take`, with the time set before each run: a month may start in the feed long before a raw message."""

    def take_in_time(records: Sequence[Any]) -> None:
        state.advance(now_ms())
        take(records)

    return take_in_time
