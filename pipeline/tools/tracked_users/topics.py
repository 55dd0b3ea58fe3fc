"""Write tracked users to the feed topic and read them back, beside live workers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.kafka.producer import OutboundMessage
from pipeline.state.partition_state import HASHED, PartitionState
from pipeline.state.restoring import read_feed, read_marks

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    from pipeline.core.billing_month import BillingMonth
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.producer import BatchProducer
    from pipeline.state.restoring import TrackedUsersTopics
    from pipeline.state.stored_marks import MarkCodec
    from pipeline.state.tracked_users import TrackedUsersOfPartition, UserHasher
    from pipeline.tools.tracked_users.users_file import FileUsers

MESSAGES_AT_ONCE: Final = 10_000
_EMPTY_VALUE: Final = b""
"""The value of each message. A message without a value would be a deletion to compaction."""


async def feed_users(
    producer: BatchProducer, feed: str, users: FileUsers, codec: MarkCodec, *, on_progress: Callable[[int], None]
) -> None:
    """Write users to the feed. Returning means that the broker has confirmed all of them.

    `on_progress` is called with the number written so far. Writing the same users again changes nothing.
    """
    written = 0
    headers = [(HASHED, codec.fingerprint)]

    async def write(partition: int, month: int, hashes: array[int]) -> None:
        nonlocal written
        for start in range(0, len(hashes), MESSAGES_AT_ONCE):
            part = hashes[start : start + MESSAGES_AT_ONCE]
            messages = [OutboundMessage(codec.mark_key(user, month), _EMPTY_VALUE, None, headers) for user in part]
            await producer.write(feed, partition, messages)
            written += len(messages)
            on_progress(written)

    await asyncio.gather(*(write(partition, month, hashes) for (partition, month), hashes in users.marks.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionUsers:
    """Tracked users of a raw partition; `by_feed` counts by month those who are tracked only because of the feed."""

    users: TrackedUsersOfPartition
    by_feed: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersTopics:
    """The topics of tracked users, and how to read them."""

    connection: ConnectionOptions
    topics: TrackedUsersTopics
    hasher: UserHasher
    month: BillingMonth
    now_ms: int

    async def read(self, partition: int) -> PartitionUsers:
        """Read the tracked users of a raw partition.

        Raises:
            KafkaUnreachableError: Kafka does not answer.
            ForeignStateError: the state was written with another secret, or by a newer version.
        """
        state = PartitionState(self.hasher, self.month, None, tracks=True)
        state.advance(self.now_ms)
        await read_marks(self.connection, self.topics, partition, state)
        by_log = _counts(state)
        if self.topics.feed is not None:
            await read_feed(self.connection, self.topics, self.topics.feed, partition, state)
        by_feed = {month: count - by_log.get(month, 0) for month, count in _counts(state).items()}
        return PartitionUsers(users=state.users, by_feed=by_feed)


def _counts(state: PartitionState) -> dict[int, int]:
    return {month: len(users) for month, users in state.users.months()}
