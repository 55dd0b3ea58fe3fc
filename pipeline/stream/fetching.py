"""aiokafka's consumer as the batch transport uses it: whole fetches, and positions that cannot be lost."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiokafka
import structlog
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode import Service

from pipeline.kafka.errors import WENT_AWAY, KafkaUnreachableError
from pipeline.kafka.fetched.reading import read_safely
from pipeline.stream.commits import Commits
from pipeline.stream.errors import OffsetsLostError
from pipeline.stream.fetch_waits import COLLECTED_BYTES, FetchWaits, is_behind
from pipeline.stream.fetched_ahead import fetched_ahead
from pipeline.stream.foreign_members import end_of_membership, expect_foreign_members
from pipeline.stream.ledger import TopicPartition
from pipeline.stream.one_loop import ServedInOneLoop
from pipeline.stream.positions import Positions, committed_positions, lost_offsets, read_positions
from pipeline.stream.unreadable import UnreadablePartitions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipeline.core.messages import Message
    from pipeline.kafka.fetched.faults import Unreadable

logger = structlog.get_logger(__name__)

MEMBERSHIP_SECONDS = 0.5
"""How often the membership is checked. aiokafka's poll interval is at least a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The result of one fetch. `epoch` is that of the repositioning after which it was read.

    `positions` are where the fetched partitions are read next, past offsets without a message for us.
    `waited_seconds` is how long the oldest message may have waited to be fetched.
    """

    epoch: int
    waited_seconds: float
    records: Mapping[TopicPartition, Sequence[Message]]
    positions: Mapping[TopicPartition, int]


class Fetching(Commits, ServedInOneLoop, AIOKafkaConsumerThread):  # type: ignore[misc] # Faust's classes have no usable types
    """Faust's service around aiokafka's consumer, with whole fetches and positions that cannot be lost.

    `epoch` counts repositionings, and changes in the same step as the seeks. Records from before a repositioning have
    an older epoch. They may be dropped, because they will be read again. Those of the present epoch must be delivered,
    because they will not.
    """

    _waits: FetchWaits
    _answered: asyncio.Event
    epoch: int = 0
    logger = logging.getLogger("faust")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unreadable = UnreadablePartitions(self.app.conf.id, now=time.monotonic)

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        self._assignor = aiokafka.coordinator.assignors.roundrobin.RoundRobinPartitionAssignor
        return aiokafka.AIOKafkaConsumer(
            group_id=self.app.conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            # We seek every partition ourselves; an offset that fell out of the log must be an error, not a reset.
            auto_offset_reset="none",
            isolation_level="read_committed",
            **transport.options.consumer,
        )

    async def on_start(self) -> None:
        """Start aiokafka's consumer, with our own messages and answers in its fetcher.

        Raises:
            KafkaUnreachableError: Kafka went away after the topics were checked.
        """
        try:
            await super().on_start()
        except KafkaConnectionError as error:
            raise KafkaUnreachableError(WENT_AWAY) from error
        consumer = self._ensure_consumer()
        read_safely(consumer, fetched_ahead(self.transport.options, self._on_unreadable))
        self._let_brokers_collect(consumer._fetcher)  # noqa: SLF001
        self._keep_commits_in_their_generation(consumer._coordinator)  # noqa: SLF001
        expect_foreign_members(consumer._coordinator)  # noqa: SLF001

    def _on_unreadable(self, partition: TopicPartition, found: Unreadable) -> None:
        """Stop fetching a partition until its next retry; the others go on."""
        self.unreadable.pause(self._ensure_consumer(), partition, found)

    def _let_brokers_collect(self, fetcher: Any) -> None:
        """Set the wait of each request to a broker: aiokafka has one fixed wait for all requests."""
        self._waits = waits = FetchWaits(self.transport.options.collect_seconds, now=time.monotonic)
        self._answered = asyncio.Event()
        fetch = fetcher._proc_fetch_request  # noqa: SLF001

        async def fetch_with_wait(assignment: Any, node_id: int, request: Any) -> bool:
            brought: bool = False
            seconds = waits.asks(node_id, behind=is_behind(assignment, request))
            if seconds is not None:
                request._max_wait_ms, request._min_bytes = round(seconds * 1000), COLLECTED_BYTES  # noqa: SLF001
            try:
                brought = await fetch(assignment, node_id, request)
            finally:
                waits.answered(node_id, brought=brought)
                self._answered.set()
            return brought

        fetcher._proc_fetch_request = fetch_with_wait  # noqa: SLF001

    @Service.task  # type: ignore[untyped-decorator]
    async def _keep_membership(self) -> None:
        """Stay a member of the group while nothing is fetched, and raise what ends the membership.

        aiokafka leaves the group when nothing was fetched for its poll interval, and never rejoins: a worker that holds
        for long, or has no partitions, would be lost to the group. Its coordinator reports permanent errors (no access
        to the group, a session timeout that the broker refuses) only to those who fetch.
        """
        while not self.should_stop:
            consumer = self._ensure_consumer()
            with consumer._subscription.fetch_context():  # noqa: SLF001 - aiokafka has no other way to show activity
                pass
            try:
                consumer._coordinator.check_errors()  # noqa: SLF001
            except KafkaError as error:
                if not error.retriable:
                    raise await end_of_membership(error, consumer, self.app.conf.id) from error
                logger.warning("consumer group unavailable, retrying", error=type(error).__name__)
            await self.sleep(MEMBERSHIP_SECONDS)

    async def fetch(self, partitions: Collection[TopicPartition], timeout_seconds: float) -> Fetched:
        """Return the available messages of these partitions, or wait for some.

        Raises:
            OffsetsLostError: a position is no longer in the log.
            ConsumerStoppedError: the consumer was closed.
        """
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher  # noqa: SLF001 - `getmany` cannot leave out partitions
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        waited = 0.0
        records: Mapping[TopicPartition, Sequence[Message]] = {}
        self.unreadable.try_again(consumer)
        try:
            with fetcher._subscriptions.fetch_context():  # noqa: SLF001
                waited += await self._until_round(fetcher, partitions, timeout_seconds)
                if fetcher._subscriptions.reassignment_in_progress:  # noqa: SLF001
                    await fetcher._subscriptions.wait_for_assignment()  # noqa: SLF001
                # No `await` from here: the epoch of what was taken could change in between.
                records, emptied = fetcher._records.take(partitions, consumer._max_poll_records)  # noqa: SLF001
                if emptied:
                    fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
        except NoOffsetForPartitionError:
            # Between an assignment and our own seek, aiokafka requested a position that was never committed.
            pass
        except OffsetOutOfRangeError as error:
            raise OffsetsLostError(self.app.conf.id, await lost_offsets(consumer, error.args[0])) from error
        waited += self._waits.take_waited() if records else 0.0
        positions = read_positions(consumer, partitions)
        self.unreadable.read_to(positions)
        return Fetched(epoch=self.epoch, waited_seconds=waited, records=records, positions=positions)

    async def _until_round(self, fetcher: Any, partitions: Collection[TopicPartition], timeout_seconds: float) -> float:
        """Wait for a round of answers until the time is over; return how long its first answer waited.

        Raises:
            KafkaError: the membership ended.
        """
        deadline = time.monotonic() + timeout_seconds
        while not fetcher._records.has_ready(partitions):  # noqa: SLF001
            waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
            _, pending = await asyncio.wait({waiter}, timeout=deadline - time.monotonic())
            if pending:
                waiter.cancel()
                return 0.0
            waiter.result()
            if fetcher._closed:  # noqa: SLF001
                return 0.0
        since = time.monotonic()
        while (left := self._waits.seconds_left()) > 0:
            self._answered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), left)
        return time.monotonic() - since

    def readable_end(self, partition: TopicPartition) -> int | None:
        """Return the last stable offset as of the last fetch; None before the first.

        Raises:
            AssertionError, IllegalStateError: the partition is not assigned any more.
        """
        end: int | None = self._ensure_consumer().last_stable_offset(partition)
        return end

    def ends_of(self, partition: TopicPartition) -> tuple[int, int] | None:
        """Return the last stable offset and the high watermark as of the last fetch; None before the first."""
        try:
            readable, stored = self.readable_end(partition), self._ensure_consumer().highwater(partition)
        except (AssertionError, IllegalStateError):  # revoked in the meantime
            return None
        return None if readable is None or stored is None or readable < 0 else (readable, stored)

    async def reposition(self) -> Positions:
        """Set every assigned partition to its committed offset, or to the start of its log if there is none.

        Retries while brokers are away.

        Raises:
            OffsetsLostError: a committed offset is outside the log.
            IllegalStateError: the assignment changed in the meantime.
        """
        consumer = self._ensure_consumer()
        positions = await committed_positions(consumer, self.app.conf.id)
        for partition, position in positions.items():
            consumer.seek(aiokafka.TopicPartition(*partition), position.offset)
        self._waits.forget()
        self.unreadable.forget(consumer)
        self.epoch += 1
        self._generation = consumer._coordinator.generation  # noqa: SLF001
        return Positions(epoch=self.epoch, by_partition=positions)

    async def ends(self, timeout_seconds: float) -> Mapping[TopicPartition, int]:
        """Return the readable ends of the assigned partitions, requested now; empty without an answer."""
        consumer = self._ensure_consumer()
        try:
            async with asyncio.timeout(timeout_seconds):
                found = await consumer.end_offsets(list(consumer.assignment()))
        except (TimeoutError, KafkaError):
            return {}
        return {TopicPartition(*partition): end for partition, end in found.items()}

    async def kafka_answers(self, partition: TopicPartition, timeout_seconds: float) -> bool:
        """Return whether both the partition's leader and the group's coordinator answer in time."""
        consumer, asked = self._ensure_consumer(), aiokafka.TopicPartition(*partition)
        try:
            async with asyncio.timeout(timeout_seconds):
                await consumer.end_offsets([asked])
                await consumer.committed(asked)
        except (TimeoutError, KafkaError):
            return False
        return True
