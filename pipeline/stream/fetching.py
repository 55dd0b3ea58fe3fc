"""The consumer thread of the batch transport: fetch, reposition and commit, in aiokafka's own event loop.

Faust runs aiokafka's consumer in a thread of its own, so heartbeats go out while the main loop is busy. Its method
queue serves two calls at a time and cannot cancel one; a commit that waits for a broker would block fetching. So our
calls go straight to the thread's loop.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiokafka
import structlog
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode import Service
from mode.threads import WorkerThread

from pipeline.kafka.errors import WENT_AWAY, KafkaUnreachableError
from pipeline.stream.errors import OffsetsLostError
from pipeline.stream.fetched_messages import FetchedAhead
from pipeline.stream.ledger import Position, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping, Sequence

    from pipeline.core.messages import Message

logger = structlog.get_logger(__name__)

COMMIT_TIMEOUT_SECONDS = 10.0
REPOSITION_RETRY_SECONDS = 1.0
MEMBERSHIP_SECONDS = 0.5
"""How often the membership is looked after; aiokafka's poll interval is a second at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What one fetch returned. `epoch` tells after which repositioning it was read.

    `positions` are where the fetched partitions are read next. They pass over what holds no message for us.
    """

    epoch: int
    records: Mapping[TopicPartition, Sequence[Message]]
    positions: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Where every assigned partition is read from, since `epoch`."""

    epoch: int
    by_partition: Mapping[TopicPartition, Position]


class _DaemonThread(WorkerThread):  # type: ignore[misc] # mode's classes have no usable types
    """A thread that the end of the process does not wait for: a silent broker must not keep a worker alive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True


class ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc] # Faust's classes have no usable types
    """Faust's consumer thread, with whole fetches and positions that cannot be lost.

    `epoch` counts repositionings and changes only in this thread, in the same step as the seeks. Records that were
    fetched before a repositioning carry an older epoch: they may be thrown away, for they will be read again; records
    of the present epoch must be delivered, for they will not.
    """

    Worker = _DaemonThread
    epoch: int = 0
    _generation: int = -1
    _storing: asyncio.Future[None] | None = None
    logger = logging.getLogger("faust")

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
        """Start aiokafka's consumer; what its fetcher brings are our messages.

        Raises:
            KafkaUnreachableError: Kafka went away since the topics were looked at.
        """
        try:
            await super().on_start()
        except KafkaConnectionError as error:
            raise KafkaUnreachableError(WENT_AWAY) from error
        consumer = self._ensure_consumer()
        consumer._fetcher._records = FetchedAhead()  # noqa: SLF001 - nothing is assigned, so it is empty
        self._keep_commits_in_their_generation(consumer._coordinator)  # noqa: SLF001

    def _keep_commits_in_their_generation(self, coordinator: Any) -> None:
        """Let no commit be sent, or sent again, but in the generation whose positions it continues.

        aiokafka sends whatever generation it has at the moment. Thrown out of its group it has none, and a group that
        is empty just then takes such a commit from anybody: a worker that was frozen would set its successors back.
        """
        send = coordinator._do_commit_offsets  # noqa: SLF001

        async def send_in_generation(assignment: Any, offsets: Any) -> None:
            if coordinator.generation != self._generation or coordinator.generation < 0:
                raise IllegalGenerationError
            await send(assignment, offsets)

        coordinator._do_commit_offsets = send_in_generation  # noqa: SLF001

    @Service.task  # type: ignore[untyped-decorator]
    async def _keep_membership(self) -> None:
        """Stay a member of the group while nothing is fetched, and learn what ends the membership.

        aiokafka leaves the group when nothing was fetched for its poll interval, and never joins again: a long hold
        or a worker without partitions would be lost to the group. What its coordinator cannot mend (no access to the
        group, a session timeout that the broker refuses) it tells only those who fetch, and waits until someone does.
        """
        while not self.should_stop:
            consumer = self._ensure_consumer()
            with consumer._subscription.fetch_context():  # noqa: SLF001 - aiokafka has no other sign of life
                pass
            try:
                consumer._coordinator.check_errors()  # noqa: SLF001
            except KafkaError as error:
                if not error.retriable:
                    raise
                logger.warning("the consumer group cannot be reached, trying again", error=type(error).__name__)
            await self.sleep(MEMBERSHIP_SECONDS)

    async def _in_thread(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            running = asyncio.run_coroutine_threadsafe(work, self.thread_loop)
        except RuntimeError as error:  # its loop is closed: a fault has ended it
            work.close()
            raise ConsumerStoppedError from error
        return await asyncio.wrap_future(running)

    async def fetch(self, partitions: Collection[TopicPartition], timeout_seconds: float) -> Fetched:
        """Return what is there for these partitions, or wait for it.

        Raises:
            OffsetsLostError: a position is no longer in the log.
            ConsumerStoppedError: the consumer was closed.
        """
        fetched: Fetched = await self._in_thread(self._fetch(partitions, timeout_seconds))
        return fetched

    async def _fetch(self, partitions: Collection[TopicPartition], timeout_seconds: float) -> Fetched:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher  # noqa: SLF001 - `getmany` cannot be told to leave partitions alone
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        try:
            with fetcher._subscriptions.fetch_context():  # noqa: SLF001
                records = await fetcher.fetched_records(
                    partitions,
                    timeout=timeout_seconds,
                    max_records=consumer._max_poll_records,  # noqa: SLF001
                )
                # In the same step: between an await and the next, the epoch of what was taken could change.
                if fetcher._records.top_up(records, partitions, consumer._max_poll_records):  # noqa: SLF001
                    fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
        except NoOffsetForPartitionError:
            # Between an assignment and our own seek: aiokafka asked for a position that was never committed.
            records = {}
        except OffsetOutOfRangeError as error:
            raise OffsetsLostError(self.app.conf.id, await self._describe(error.args[0])) from error
        return Fetched(epoch=self.epoch, records=records, positions=_positions(consumer, partitions))

    async def _describe(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, tuple[int, int, int]]:
        consumer = self._ensure_consumer()
        starts = await consumer.beginning_offsets(list(offsets))
        ends = await consumer.end_offsets(list(offsets))
        return {TopicPartition(*place): (offset, starts[place], ends[place]) for place, offset in offsets.items()}

    def readable_end(self, place: TopicPartition) -> int | None:
        """Return the end of what committed transactions have written, as the last fetch told; None before it.

        Raises:
            AssertionError, IllegalStateError: the partition is not assigned any more.
        """
        end: int | None = self._ensure_consumer().last_stable_offset(place)
        return end

    async def reposition(self) -> Positions:
        """Put every assigned partition at its committed offset, or at the log's start where there is none.

        Repeats while brokers are away.

        Raises:
            OffsetsLostError: a committed offset is outside the log.
            IllegalStateError: the assignment changed meanwhile.
        """
        positions: Positions = await self._in_thread(self._reposition())
        return positions

    async def _reposition(self) -> Positions:
        consumer = self._ensure_consumer()
        while True:
            assigned = list(consumer.assignment())
            try:
                # In this order: a process can be stopped between two of them, while others write, read and commit on.
                starts = await consumer.beginning_offsets(assigned)
                found = await consumer._coordinator.fetch_committed_offsets(assigned)  # noqa: SLF001 - `committed` asks for one
                ends = await consumer.end_offsets(assigned)
            except IllegalStateError:
                raise
            except KafkaError as error:
                if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                    raise
                logger.warning("positions unknown, asking again", error=type(error).__name__)
                await asyncio.sleep(REPOSITION_RETRY_SECONDS)
                continue
            break
        committed = {place: each.offset for place, each in found.items() if each.offset >= 0}
        lost = {
            TopicPartition(*place): (offset, starts[place], ends[place])
            for place, offset in committed.items()
            if not starts[place] <= offset <= ends[place]
        }
        if lost:
            raise OffsetsLostError(self.app.conf.id, lost)
        positions = {
            TopicPartition(*place): Position(committed.get(place, starts[place]), place in committed)
            for place in assigned
        }
        for place, position in positions.items():
            consumer.seek(aiokafka.TopicPartition(*place), position.offset)
        self.epoch += 1
        self._generation = consumer._coordinator.generation  # noqa: SLF001
        return Positions(epoch=self.epoch, by_partition=positions)

    async def broker_answers(self, timeout_seconds: float) -> bool:
        """Ask for the cluster's metadata: False when no broker answers in time."""
        answers: bool = await self._in_thread(self._broker_answers(timeout_seconds))
        return answers

    async def _broker_answers(self, timeout_seconds: float) -> bool:
        client = self._ensure_consumer()._client  # noqa: SLF001 - aiokafka has no public question for it
        try:
            return bool(await asyncio.wait_for(client.force_metadata_update(), timeout_seconds))
        except (TimeoutError, KafkaError):
            return False

    async def store(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit offsets; True when the broker has confirmed them all.

        Raises:
            KafkaError: the broker refuses for good (not authorized, say).
        """
        try:
            stored: bool = await self._in_thread(self._store(offsets))
        except ConsumerStoppedError:
            return False
        return stored

    async def _bounded(self, storing: Coroutine[Any, Any, None]) -> None:
        """Wait for a commit as long as it may take; one that takes longer goes on, and the next waits for it first.

        Cancelling would leave aiokafka's own request behind, unwatched.
        """
        if self._storing is not None and not await self._storing_ended():
            storing.close()
            raise TimeoutError
        task = self._storing = asyncio.ensure_future(storing)
        if not await self._storing_ended():
            raise TimeoutError
        if task.cancelled():
            raise TimeoutError
        task.result()

    def abandon_commit(self) -> None:
        """Repeat no commit whose partitions were given up: aiokafka would repeat it in the name of the next generation.

        Another worker may have committed more of them by then. What was sent already is refused as of the generation
        before.
        """
        storing = self._storing
        if storing is not None:
            with suppress(RuntimeError):  # the thread's loop is closed: a fault has ended it
                self.thread_loop.call_soon_threadsafe(storing.cancel)

    async def _storing_ended(self) -> bool:
        if self._storing is not None:
            done, _ = await asyncio.wait({self._storing}, timeout=COMMIT_TIMEOUT_SECONDS)
            if not done:
                return False
            if not self._storing.cancelled():
                self._storing.exception()  # looked at, also where nobody waits for it any more
            self._storing = None
        return True

    async def _store(self, offsets: Mapping[TopicPartition, int]) -> bool:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        if not all(place in assigned for place in offsets):
            return False
        source = self.transport.options.source
        note = source.commit_note if source is not None else ""
        commit = {aiokafka.TopicPartition(*place): (offset, note) for place, offset in offsets.items()}
        try:
            await self._bounded(consumer.commit(commit))
        except (CommitFailedError, IllegalStateError, TimeoutError) as error:
            logger.warning("commit not stored, the messages stay in hand of the group", error=type(error).__name__)
            return False
        except KafkaError as error:
            if not error.retriable:
                raise
            logger.warning("commit not stored, trying again", error=type(error).__name__)
            return False
        return True


def _positions(consumer: Any, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    assignment = consumer._subscription.subscription.assignment  # noqa: SLF001 - `position` would wait for one
    states = {place: assignment.state_value(place) for place in partitions} if assignment is not None else {}
    return {place: state.position for place, state in states.items() if state is not None and state.has_valid_position}
