"""The batch transport: everything that one fetch returns travels through Faust as one event.

Stock Faust spends four asyncio tasks, a sleep and a dozen callbacks on each message. Here an agent receives a `Round`
with a `DeliveredBatch` for each partition, and passes it to the step. A batch is acknowledged when all of its effects
are confirmed. The longest acknowledged prefix of each partition is committed (`pipeline.stream.ledger`).

Backpressure works for each partition separately. A partition with `max_messages_in_hand` unsettled messages, or with
`max_bytes_in_hand` of them, is not fetched; the others go on. So memory is bounded by partitions x (fetch size + what
is in hand + one fetch), and nothing here blocks while a destination is away.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage
from mode import Service

from pipeline.runtime.health import Undone
from pipeline.settings.worker_section import LAST_COMMIT_SECONDS
from pipeline.stream.errors import OffsetsVanishedError
from pipeline.stream.fetching import Fetching
from pipeline.stream.hidden import LogEnds
from pipeline.stream.lag import Waiting
from pipeline.stream.ledger import Ledger, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipeline.stream.fetching import Fetched
    from pipeline.stream.ledger import DeliveredBatch
    from pipeline.stream.transport_options import TransportOptions
    from pipeline.stream.unreadable import UnreadablePartitions

logger = structlog.get_logger(__name__)

IDLE_POLL_SECONDS = 1.0
"""How long a fetch waits for messages when every partition may be fetched."""
CROWDED_POLL_SECONDS = 0.05
"""The same while a partition is full: it must be fetched soon after it has room again."""
COMMIT_SPACING_SECONDS = 0.02
"""The least time between two commits. What is settled in between is redelivered after a kill."""


class BatchConsumer(driver.Consumer):  # type: ignore[misc] # Faust's classes have no usable types
    """Faust's aiokafka consumer, with batches instead of messages, and the ledger in place of its acks."""

    logger = logging.getLogger("faust")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options: TransportOptions = self.transport.options
        self.ledger = Ledger(on_settled=self._on_settled)
        self._live_epoch: int | None = None
        self._ends: Mapping[TopicPartition, int] = {}
        self._revocations = 0
        self._settled = asyncio.Event()
        self._commit_lock = asyncio.Lock()

    def _new_consumer_thread(self) -> Fetching:
        return Fetching(self, loop=self.loop, beacon=self.beacon)

    # ---- fetch

    async def _drain_messages(self, fetcher: Any) -> None:
        """Deliver what is fetched until the consumer or its fetcher stops."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                fetched = await self._next_fetch()
                if fetched is not None:
                    await self._deliver(fetched)
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise

    async def _next_fetch(self) -> Fetched | None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
            return None
        active = self._get_active_partitions()
        live = {partition for partition in self.ledger.partitions() if partition in active and self.is_known(partition)}
        open_ = {partition for partition in live if self._has_room(partition)}
        if open_:
            timeout = IDLE_POLL_SECONDS if len(open_) == len(live) else CROWDED_POLL_SECONDS
            fetched: Fetched = await self._thread.fetch(open_, timeout)
            return fetched
        await self.sleep(CROWDED_POLL_SECONDS)
        return None

    def _has_room(self, partition: TopicPartition) -> bool:
        ledger, options = self.ledger, self.options
        in_hand = ledger.messages_of(partition)
        return not in_hand or (
            in_hand < options.max_messages_in_hand and ledger.bytes_of(partition) < options.max_bytes_in_hand
        )

    def is_known(self, partition: tuple[str, int]) -> bool:
        """Return whether a partition existed when the worker started. A later one waits for a restart."""
        source = self.options.source
        return source is None or partition[1] < source.partitions

    async def _deliver(self, fetched: Fetched) -> None:
        if not self.flow_active:
            # A rebalance: either partitions are repositioned next, or nothing is assigned any more.
            await self.wait(self.can_resume_flow)
        if fetched.epoch != self._live_epoch:
            return
        if fetched.records:
            batches = [
                self.ledger.deliver(TopicPartition(*partition), run) for partition, run in fetched.records.items()
            ]
            delivering = asyncio.create_task(self.callback(self._message(Round(batches, fetched.waited_seconds))))
            await asyncio.sleep(0)
            if delivering.done():
                delivering.result()
            else:  # a rebalance has started; waiting for both every time would cost more than the rest of this method
                await self.wait_first(delivering, self.suspend_flow.wait())
        if fetched.epoch == self._live_epoch:
            self.ledger.read(fetched.positions)

    def _message(self, fetched: Round) -> ConsumerMessage:
        first = fetched.batches[0]
        partition, last = driver.TP(first.topic, first.partition), first.messages[-1]
        return ConsumerMessage(
            topic=partition.topic,
            partition=partition.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=fetched,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=partition,
            generation_id=self.app.consumer_generation_id,
        )

    # ---- acknowledge and commit

    def track_message(self, message: Any) -> None:
        """Do nothing: the ledger tracks what is in hand."""

    def ack(self, message: Any) -> bool:
        """Return false: only `DeliveredBatch.acknowledge` counts, so no path inside Faust can settle a batch."""
        del message
        return False

    def _on_settled(self) -> None:
        self._settled.set()

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit_what_is_settled(self) -> None:
        """Commit once when a round is settled, or after the spacing what is settled of a round that takes longer."""
        next_at = 0.0
        while not self.should_stop:
            await self._settled.wait()
            now = self.loop.time()
            wait = COMMIT_SPACING_SECONDS if self.ledger.messages_in_hand() else next_at - now
            if wait > 0:
                await asyncio.sleep(wait)
            self._settled.clear()
            await self.commit()
            next_at = self.loop.time() + COMMIT_SPACING_SECONDS

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002 - Faust's signature
        """Commit the longest acknowledged prefix of every partition; return whether the broker has confirmed it.

        Calls run one after the other, and each commits what is settled when it starts. So when a call returns, what was
        settled when it was made is committed, or has failed to be.
        """
        del topics, start_new_transaction
        async with self._commit_lock:
            commit = self.ledger.committable()
            if not commit.offsets:
                return False
            stored: bool = await self._thread.store(commit.offsets)
            if stored:
                self.ledger.stored(commit)
                self.options.on_committed()
            else:
                self.options.on_commit_failed()
                self.loop.call_later(self.options.commit_interval_seconds, self._settled.set)
            return stored

    # ---- rebalance

    async def perform_seek(self) -> None:
        """Set every partition to its committed offset, and reset the ledger.

        Raises:
            IllegalStateError: partitions were revoked in the meantime; Faust calls again after the next assignment.
            OffsetsVanishedError: a partition that was read before has no committed offset any more.
        """
        revocations = self._revocations
        positions = await self._thread.reposition()
        if self._revocations != revocations:
            raise IllegalStateError("partitions were revoked while they were being positioned")
        begun = self.options.source.begun if self.options.source is not None else ()
        vanished = [at for at, found in positions.by_partition.items() if not found.committed and at.partition in begun]
        if vanished:
            raise OffsetsVanishedError(self.app.conf.id, vanished)
        self.ledger.assign(positions.by_partition)
        logger.info("partitions assigned", partitions=sorted(number for _, number in positions.by_partition))
        self.options.on_assigned(tuple(positions.by_partition))
        self._live_epoch = positions.epoch

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Settle or give up what is in hand, commit the prefix, then release the partitions.

        This takes at most `revoke_timeout_seconds`, plus a little that is reserved for the commit.
        """
        self._live_epoch = None
        self._revocations += 1
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        partitions = {TopicPartition(*partition) for partition in revoked}
        deadline = self.loop.time() + self.options.revoke_timeout_seconds
        try:
            await self.options.before_revoke(partitions)
            left = max(deadline - self.loop.time(), LAST_COMMIT_SECONDS)
            await asyncio.wait_for(self.commit(), left)
        except TimeoutError:
            logger.warning("partitions released without a last commit", partitions=len(partitions))
        except Exception as error:
            await self.crash(error)  # aiokafka would log it and go on
            raise
        finally:
            self._thread.abandon_commit()
            self.ledger.revoke(partitions)
            await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Do nothing: Faust's livelock warnings count messages. Liveness is in `pipeline.runtime.health`."""

    # ---- observe

    def lag(self) -> int:
        """Count the offsets that are readable and not committed, over the partitions whose end is known."""
        return sum(waiting.messages for waiting in self.waiting())

    def waiting(self) -> list[Waiting]:
        """Return the same for each partition, with the oldest message in hand."""
        found = []
        for partition, offset in self.ledger.offsets_to_reread().items():
            try:
                end = self._thread.readable_end(partition)
            except (AssertionError, IllegalStateError):  # revoked in the meantime
                continue
            oldest = self.ledger.oldest_in_hand(partition)
            messages = max(0, max(end or 0, self._ends.get(partition, 0)) - offset)
            found.append(Waiting(partition.partition, messages, None if oldest is None else oldest.timestamp))
        return found

    def log_ends(self) -> list[LogEnds]:
        """Return both ends of each partition, as of the last fetch; partitions that were never fetched are left out.

        A partition that is full or holds is not fetched. Its readable end is then the one that brokers reported since.
        """
        return [
            LogEnds(partition.partition, max(ends[0], self._ends.get(partition, 0)), ends[1])
            for partition in self.ledger.partitions()
            if (ends := self._thread.ends_of(partition))
        ]

    def full_partitions(self) -> int:
        """Count the partitions that are not fetched until something of them is settled."""
        return sum(not self._has_room(partition) for partition in self.ledger.partitions())

    def undone(self) -> dict[tuple[str, int], Undone]:
        """Return where a restart would read each partition, and how many messages wait there."""
        offsets = self.ledger.offsets_to_reread()
        counts = {waiting.partition: waiting.messages for waiting in self.waiting()}
        return {partition: Undone(offset, counts.get(partition.partition, 0)) for partition, offset in offsets.items()}

    async def look_at_ends(self, timeout_seconds: float) -> None:
        """Request the ends of the assigned partitions: those from fetches do not move when fetching has died.

        Without an answer the known ends stay, so that a partition with waiting messages does not look idle.
        """
        self._ends = {**self._ends, **await self._thread.ends(timeout_seconds)}

    @property
    def unreadable(self) -> UnreadablePartitions:
        """The partitions that hold because their next batch cannot be read."""
        found: UnreadablePartitions = self._thread.unreadable
        return found

    def uncommitted(self) -> Collection[tuple[str, int]]:
        """Return the partitions with settled offsets that the coordinator does not accept."""
        return self.ledger.committable().offsets.keys() if self._thread.commits_wait else ()

    async def without_answer(
        self, partitions: Collection[tuple[str, int]], timeout_seconds: float
    ) -> Collection[tuple[str, int]]:
        """Return those of the partitions for which Kafka does not answer now."""
        asked = sorted(partitions)
        answers = await asyncio.gather(
            *(self._thread.kafka_answers(TopicPartition(*partition), timeout_seconds) for partition in asked)
        )
        away = [partition for partition, answered in zip(asked, answers, strict=True) if not answered]
        if away:
            numbers = [number for _, number in away]
            text = "Kafka does not answer, or refuses to, for partitions with waiting messages"
            logger.warning(text, partitions=numbers)
        return away


class Round(NamedTuple):
    """The result of one fetch: a batch for each partition with messages, and how long the oldest message waited."""

    batches: Sequence[DeliveredBatch]
    waited_seconds: float


class Transport(driver.Transport):  # type: ignore[misc] # Faust's classes have no usable types
    """Faust's aiokafka transport with `BatchConsumer`."""

    Consumer = BatchConsumer

    def __init__(self, url: Any, app: Any, *, options: TransportOptions) -> None:
        super().__init__(url, app)
        self.options = options
