"""The state of a processor: tracked users and sketches of each of its raw partitions, and the message catalogue.

A partition is read back before its first batch is decided. The changes of a batch are written before its records. So a
successor that reads them back knows at least what was known at the last commit.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from pipeline.kafka.producer import OutboundMessage
from pipeline.kafka.reading import read_to_end
from pipeline.state.message_catalogue import stored_form
from pipeline.state.partition_state import PartitionState
from pipeline.state.restoring import feed_taker, in_time, read_feed, read_marks
from pipeline.state.sketches import SHADOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.core.billing_month import BillingMonth
    from pipeline.core.outcomes import StateChange
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.producer import BatchProducer
    from pipeline.state.following import Follower
    from pipeline.state.message_catalogue import MessageCatalogue
    from pipeline.state.restoring import TrackedUsersTopics
    from pipeline.state.tracked_users import UserHasher

logger = structlog.get_logger(__name__)

_CATALOGUE_PARTITION: Final = 0
READERS: Final = 4
"""Partitions that are read back concurrently."""
SKETCH_SECONDS: Final = 30.0
"""A changed sketch is written at most this often. What is not yet written when a worker dies is not counted."""
_NO_HEADERS: Final[list[tuple[str, bytes]]] = []
"""One list for all marks: with a new list each, the garbage collector would have more objects to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueTopic:
    """Where the message catalogue is stored."""

    topic: str
    messages: MessageCatalogue


class StateStore:
    """The state of a worker's raw partitions (`pipeline.processor.state.StateSource`)."""

    def __init__(
        self,
        *,
        connection: ConnectionOptions,
        producer: BatchProducer,
        follower: Follower,
        hasher: UserHasher,
        month: BillingMonth,
        now_ms: Callable[[], int],
        tracked: TrackedUsersTopics | None,
        catalogue: CatalogueTopic | None,
    ) -> None:
        """Start without partitions. Without `tracked`, sketches last only as long as the process.

        Args:
            connection: Where state is read back from.
            producer: Writes changes.
            follower: Follows the feed and the catalogue.
            hasher: Hashes users.
            month: Returns the billing month of a time.
            now_ms: A clock in milliseconds since the epoch.
            tracked: Topics of tracked users; None when users are not tracked.
            catalogue: The message catalogue and its topic; None without one.
        """
        self._connection = connection
        self._producer = producer
        self._follower = follower
        self._hasher = hasher
        self._month = month
        self._now_ms = now_ms
        self._tracked = tracked
        self._catalogue = catalogue
        self._partitions: dict[int, PartitionState] = {}
        self._write_sketches_at: dict[int, float] = {}
        self._catalogue_is_read = catalogue is None
        self._readers = asyncio.Semaphore(READERS)
        self._catalogue_reading = asyncio.Lock()
        self.tracks = tracked is not None

    def is_complete(self, partition: int) -> bool:
        """Return whether the whole state of a partition has been read back."""
        return self._catalogue_is_read and partition in self._partitions

    def of(self, partition: int) -> PartitionState:
        """Return the state of a partition, as of now. It must be complete."""
        self._follower.check()
        state = self._partitions[partition]
        state.advance(self._now_ms())
        return state

    async def restore(self, partition: int) -> None:
        """Read back the state of a partition.

        Raises:
            KafkaUnreachableError: Kafka does not answer; try again.
            ForeignStateError: the topic was written with another secret, or by a newer version.
        """
        await self._read_catalogue()
        if partition not in self._partitions:
            async with self._readers:
                state = await self._read_back(partition)
            self._partitions[partition] = state

    def forget(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked. They are read back when they are assigned again."""
        for number in partitions:
            state = self._partitions.pop(number, None)
            if state is not None:
                state.forget_unstored()
            if self._tracked is not None and self._tracked.feed is not None:
                self._follower.leave(self._tracked.feed, number)

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        """Return whether anything must be stored now: changes, or sketches that are due."""
        return bool(changes) or (self._tracked is not None and self._sketches_are_due(partition))

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        """Store the changes of a batch; returning means that the broker has confirmed all of them."""
        runs = []
        if self._tracked is not None and (messages := self._tracked_messages(self._tracked, partition, changes)):
            runs.append(self._producer.write(self._tracked.topic, partition, messages))
        if self._catalogue is not None:
            learnt = [found for change in changes if change.learnt if (found := stored_form(change.learnt)) is not None]
            if learnt:
                messages = [OutboundMessage(key, value, None, []) for key, value in learnt]
                runs.append(self._producer.write(self._catalogue.topic, _CATALOGUE_PARTITION, messages))
        await asyncio.gather(*runs)
        self._partitions[partition].stored(changes)

    def repeats(self, partition: int) -> bool:
        """Return whether a write of a partition's changes is being retried."""
        tracked, catalogue = self._tracked, self._catalogue
        return (tracked is not None and self._producer.repeats(tracked.topic, partition)) or (
            catalogue is not None and self._producer.repeats(catalogue.topic, _CATALOGUE_PARTITION)
        )

    def tracked_users(self) -> int:
        """Count the users tracked this month, over all partitions of this worker."""
        month = self._month.first_day(self._now_ms())
        return sum(state.users.count(month) for state in self._partitions.values())

    def users_delivery_would_add(self) -> float:
        """Estimate the users of this month's dropped delivery events who are not tracked yet."""
        month = self._month.first_day(self._now_ms())
        return sum(state.users_delivery_would_add(month) for state in self._partitions.values())

    def shadow_users(self) -> dict[str, float]:
        """Estimate the users of this month's events that each shadow rule would have matched."""
        month = self._month.first_day(self._now_ms())
        found: dict[str, float] = {}
        for state in self._partitions.values():
            for name in state.sketches.names(month):
                if name.startswith(SHADOW):
                    rule = name.removeprefix(SHADOW)
                    found[rule] = found.get(rule, 0.0) + state.sketches.estimate(name, month)
        return found

    def catalogue_size(self) -> int:
        """Count the messages in the catalogue."""
        return 0 if self._catalogue is None else len(self._catalogue.messages)

    def _tracked_messages(
        self, tracked: TrackedUsersTopics, partition: int, changes: Sequence[StateChange]
    ) -> list[OutboundMessage]:
        state, codec = self._partitions[partition], tracked.codec
        messages = [
            OutboundMessage(codec.mark_key(mark.user, mark.month), codec.mark_value(mark.offset), None, _NO_HEADERS)
            for change in changes
            if (mark := change.mark) is not None
        ]
        if self._sketches_are_due(partition):
            self._write_sketches_at[partition] = asyncio.get_running_loop().time() + SKETCH_SECONDS
            for name, month, sketch in state.sketches.changed():
                messages.append(OutboundMessage(codec.sketch_key(name, month), codec.sketch_value(sketch), None, []))
        return messages

    def _sketches_are_due(self, partition: int) -> bool:
        return asyncio.get_running_loop().time() >= self._write_sketches_at.get(partition, 0.0)

    async def _read_catalogue(self) -> None:
        async with self._catalogue_reading:
            if self._catalogue_is_read or self._catalogue is None:
                return
            topic, messages = self._catalogue.topic, self._catalogue.messages
            messages.advance(self._now_ms())
            self._follower.follow(topic, 0, await read_to_end(self._connection, topic, 0, messages.take), messages.take)
            self._catalogue_is_read = True
            logger.info("message catalogue read back", messages=len(messages))

    async def _read_back(self, partition: int) -> PartitionState:
        tracked = self._tracked
        catalogue = None if self._catalogue is None else self._catalogue.messages
        state = PartitionState(self._hasher, self._month, catalogue, tracks=tracked is not None)
        state.advance(self._now_ms())
        if tracked is None:
            return state
        await read_marks(self._connection, tracked, partition, state)
        if tracked.feed is not None:
            end = await read_feed(self._connection, tracked, tracked.feed, partition, state)
            take = in_time(state, self._now_ms, feed_taker(tracked, partition, state))
            self._follower.follow(tracked.feed, partition, end, take)
        logger.info("tracked users read back", partition=partition, users=state.users.counts())
        return state
