"""Write runs of messages to one partition, in order, until the broker has confirmed every message."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import aiokafka
import msgspec
import structlog
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaConnectionError, KafkaError, ProducerClosed
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from pipeline.kafka.batch_limits import BatchLimits
from pipeline.kafka.broker_clock import BrokerClock
from pipeline.kafka.errors import WENT_AWAY, ClusterFaultError, KafkaUnreachableError
from pipeline.kafka.refusals import MAY_NOT_WRITE, TOO_LARGE, Refusal, find_refusal, know_refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.core.hold_reasons import HoldReason

logger = structlog.get_logger(__name__)

BATCH_BYTES = 512 * 1024
"""Size of a produced batch, uncompressed; brokers accept 1,048,588 bytes by default (`message.max.bytes`)."""
BATCH_HEADER_BYTES = 61
"""Size of a batch's header (Kafka's record batch, magic 2)."""
STOP_SECONDS = 5.0
"""How long a stop waits for unconfirmed writes."""
ABANDON_SECONDS = 0.1


class OutboundMessage(msgspec.Struct, frozen=True, gc=False):
    """One message to write. A `timestamp_ms` of None means the present time."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None
    headers: list[tuple[str, bytes]]


class Handed(NamedTuple):
    """A run that was handed over; `confirmation` completes with it. `batch_bytes` is its size before compression."""

    confirmation: asyncio.Future[Any]
    producer: aiokafka.AIOKafkaProducer
    batch_bytes: int


class BatchProducer:
    """An idempotent producer with `acks=all` that retries a failed write in order, without a limit.

    aiokafka retries unconfirmed writes while a broker is away, without a limit and without duplicates. A write that a
    broker refuses permanently leaves a gap in the sequence numbers, so a new producer is started, which writes the same
    bytes again. Each partition has one write at a time: the next starts when the previous one is confirmed.

    A batch that is refused as too large is written again as smaller batches. Each step requires a new producer, so the
    size that a topic accepts is remembered (`BatchLimits`), and later batches start with it.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        *,
        compression: str | None = None,
        on_retry: Callable[[], None] = lambda: None,
        on_limit: Callable[[str, int], None] = lambda _topic, _limit_bytes: None,
        clock: BrokerClock | None = None,
        request_timeout_seconds: float = 30.0,
        retry_seconds: float = 1.0,
        refused_retry_seconds: float = 10.0,
    ) -> None:
        """Prepare a producer; `start` connects it.

        Args:
            connection: aiokafka's connection arguments.
            compression: The codec of batches, by aiokafka's name.
            on_retry: Called each time a write must be retried.
            on_limit: Called with a topic and the most bytes of its batches, at the first batch and at each decrease.
            clock: Receives the times in the brokers' confirmations.
            request_timeout_seconds: A write that is not confirmed within this time counts as being retried.
            retry_seconds: Pause before each attempt to connect again.
            refused_retry_seconds: Pause before a message is sent again that the broker refused by itself.
        """
        self._connection = dict(connection)
        self._compression = compression
        self._on_retry = on_retry
        self._limits = BatchLimits(BATCH_BYTES, on_limit)
        self._clock = clock or BrokerClock()
        self.request_timeout_seconds = request_timeout_seconds
        self._retry_seconds = retry_seconds
        self._refused_retry_seconds = refused_retry_seconds
        self._repeating: set[tuple[str, int]] = set()
        self._refused: dict[tuple[str, int], Refusal] = {}
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._renewal = asyncio.Lock()
        self._retiring: dict[aiokafka.AIOKafkaProducer, asyncio.Task[None]] = {}
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnreachableError: no broker answers.
            ClusterFaultError: this user may not write at all.
        """
        try:
            self._producer = await self._connect()
        except KafkaConnectionError as error:
            raise KafkaUnreachableError(WENT_AWAY) from error
        except ClusterAuthorizationFailedError as error:
            raise ClusterFaultError(MAY_NOT_WRITE) from error

    async def stop(self) -> None:
        """Close the connections. Unconfirmed writes fail."""
        producer, self._producer = self._producer, None
        for retirement in self._retiring.values():
            retirement.cancel()
        if producer is not None:
            await _close(producer, STOP_SECONDS)

    async def _connect(self) -> aiokafka.AIOKafkaProducer:
        know_refusals()
        producer = aiokafka.AIOKafkaProducer(
            **self._connection,
            acks="all",
            enable_idempotence=True,
            compression_type=self._compression,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=round(self.request_timeout_seconds * 1000),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    @property
    def retrying(self) -> bool:
        """Whether a write is being retried, because a broker is away or refuses it."""
        return bool(self._repeating)

    @property
    def hold_reason(self) -> str | None:
        """Why a broker refuses a write until an operator acts, as one sentence; None if no write is refused."""
        return next((refusal.reason for refusal in self._refused.values()), None)

    @property
    def holds(self) -> frozenset[HoldReason]:
        """The causes of refused writes, of all partitions, for metrics."""
        return frozenset(refusal.hold for refusal in self._refused.values())

    def repeats(self, topic: str, partition: int) -> bool:
        """Return whether a write to a partition is being retried."""
        return (topic, partition) in self._repeating

    async def hand_over(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> Handed | None:
        """Hand a run over without waiting; return None if that is not possible now, so that `write` must be used.

        Until its confirmation has come, nothing else may be written to the partition. If it fails, or does not come
        within `request_timeout_seconds`, `write` continues with it. Runs that are handed over for several partitions in
        one step of the event loop go to each broker in one request.
        """
        if self._turns[topic, partition].locked() or self._renewal.locked():
            return None
        producer = self._live()
        if not _takes_at_once(producer, topic, partition):
            return None
        # This costs less than filling half a batch.
        is_too_large = sum([len(message.value or b"") for message in messages]) > BATCH_BYTES
        if is_too_large or self._batch_end(topic, messages, 0) < len(messages):
            return None
        batch = producer.create_batch()
        if _fill(batch, messages, 0, len(messages)) < len(messages):
            return None
        batch_bytes = batch.size()
        try:
            return Handed(await self._send(producer, batch, topic, partition), producer, batch_bytes)
        except (KafkaError, OSError):
            return None

    async def write(
        self, topic: str, partition: int, messages: Sequence[OutboundMessage], *, handed: Handed | None = None
    ) -> None:
        """Write messages to one partition. Returning means that the broker has confirmed all of them, in this order.

        Writes are retried for as long as the broker is away. A call may be cancelled; what was sent may still arrive
        then. `handed` is the result of `hand_over` for the same messages.
        """
        target = (topic, partition)
        async with self._turns[target]:
            try:
                await self._write_in_turn(topic, partition, messages, handed)
            finally:
                self._repeating.discard(target)
                self._refused.pop(target, None)

    async def _write_in_turn(
        self, topic: str, partition: int, messages: Sequence[OutboundMessage], handed: Handed | None
    ) -> None:
        written = 0
        while written < len(messages):
            if handed is None:
                producer = self._live()
                batch = producer.create_batch()
                end = _fill(batch, messages, written, self._batch_end(topic, messages, written))
                batch_bytes = batch.size()
                sending = self._send(producer, batch, topic, partition)
            else:
                producer, end, batch_bytes = handed.producer, len(messages), handed.batch_bytes
                sending = _ready(handed.confirmation)
                if not handed.confirmation.done():  # the caller of `hand_over` has already waited for it
                    self._mark_retrying(topic, partition)
                handed = None
            try:
                await self._confirmed(await sending, producer, topic, partition)
            except TOO_LARGE as error:
                self._limits.refused(topic, batch_bytes=batch_bytes, messages=end - written)
                await self._await_another_chance(topic, partition, error, is_final=end - written == 1)
                await self._renew(producer, topic, partition)
            except (KafkaError, OSError) as error:
                await self._await_another_chance(topic, partition, error, is_final=True)
                await self._renew(producer, topic, partition)
            else:
                written = end
                self._refused.pop((topic, partition), None)

    async def _send(
        self, producer: aiokafka.AIOKafkaProducer, batch: Any, topic: str, partition: int
    ) -> asyncio.Future[Any]:
        """Pass a batch to aiokafka, and read the broker's time from its confirmation."""
        asked_at = self._clock.steady()
        confirmation: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
        leader = producer.client.cluster.leader_for_partition(aiokafka.TopicPartition(topic, partition))
        self._clock.watch(confirmation, asked_at=asked_at, broker=leader)
        return confirmation

    def _batch_end(self, topic: str, messages: Sequence[OutboundMessage], start: int) -> int:
        """Return the index of the first message that is not in the next batch, by the size limit of the topic."""
        limit_bytes = self._limits.of(topic)
        if limit_bytes >= BATCH_BYTES:
            return len(messages)  # aiokafka's own limit applies, without estimates
        return _fitting(messages, start, limit_bytes)

    async def _confirmed(
        self, confirmation: asyncio.Future[Any], producer: aiokafka.AIOKafkaProducer, topic: str, partition: int
    ) -> None:
        try:
            while not (await asyncio.wait({confirmation}, timeout=self.request_timeout_seconds))[0]:
                self._mark_retrying(topic, partition)
                if producer is not self._producer and producer not in self._retiring:
                    raise ProducerClosed  # another partition's failure replaced it, so it retries nothing any more
                logger.warning("write not confirmed yet, still retrying", topic=topic, partition=partition)
            confirmation.result()
        finally:
            confirmation.cancel()  # else asyncio would warn that its exception was never retrieved

    def _mark_retrying(self, topic: str, partition: int) -> None:
        self._on_retry()
        self._repeating.add((topic, partition))

    async def _await_another_chance(
        self, topic: str, partition: int, error: KafkaError | OSError, *, is_final: bool
    ) -> None:
        """Return when the next attempt may succeed. A write that only an operator can help is held if `is_final`."""
        self._mark_retrying(topic, partition)
        refusal = find_refusal(error, topic)
        if refusal is None:
            logger.warning("write failed, retrying", topic=topic, partition=partition, error=_name(error))
        elif is_final:
            await self._hold(topic, partition, refusal)

    async def _hold(self, topic: str, partition: int, refusal: Refusal) -> None:
        if self._refused.get((topic, partition)) != refusal:
            logger.error(refusal.reason, partition=partition)
        self._refused[topic, partition] = refusal
        await asyncio.sleep(self._refused_retry_seconds)

    def _live(self) -> aiokafka.AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer is not started")
        return self._producer

    async def _renew(self, failed: aiokafka.AIOKafkaProducer, topic: str, partition: int) -> None:
        """Replace a producer once, however many writes saw it fail; retry while a new one cannot connect."""
        async with self._renewal:
            while self._producer is failed:
                await asyncio.sleep(self._retry_seconds)
                try:
                    fresh = await self._connect()
                except (KafkaError, OSError) as error:
                    if (refusal := find_refusal(error, topic)) is None:
                        logger.warning("no broker available for writes, retrying", error=_name(error))
                    else:
                        await self._hold(topic, partition, refusal)
                    continue
                self._producer = fresh
                retirement = asyncio.create_task(_close(failed, self.request_timeout_seconds))
                self._retiring[failed] = retirement
                retirement.add_done_callback(lambda _: self._retiring.pop(failed, None))


def _takes_at_once(producer: aiokafka.AIOKafkaProducer, topic: str, partition: int) -> bool:
    """Return whether aiokafka accepts a batch of a partition without waiting for the previous one, or for a leader.

    There is a previous batch when its run was cancelled while the broker did not answer.
    """
    pending = producer._message_accumulator._batches  # noqa: SLF001 - aiokafka would wait, up to its request timeout
    target = aiokafka.TopicPartition(topic, partition)
    return not pending.get(target) and producer.client.cluster.partitions_for_topic(topic) is not None


async def _close(producer: aiokafka.AIOKafkaProducer, seconds: float) -> None:
    """Close a producer; its requests in flight may complete first, within `seconds`."""
    closing = asyncio.ensure_future(producer.stop())
    try:
        await asyncio.wait({closing}, timeout=seconds)
    finally:
        if not closing.done():
            closing.cancel()
            await _abandon(producer)
        elif (error := closing.exception()) is not None:
            logger.warning("producer did not close cleanly", error=_name(error))


async def _abandon(producer: aiokafka.AIOKafkaProducer) -> None:
    """Close a producer that waits for a broker: aiokafka's sender ignores the first cancellation while requests run."""
    sending = producer._sender.sender_task  # noqa: SLF001
    while not sending.done():
        sending.cancel()
        await asyncio.wait({sending}, timeout=ABANDON_SECONDS)
    await producer.client.close()


async def _ready(confirmation: asyncio.Future[Any]) -> asyncio.Future[Any]:
    return confirmation


def _name(error: BaseException) -> str:
    return type(error).__name__


def _fitting(messages: Sequence[OutboundMessage], start: int, limit_bytes: int) -> int:
    """Return the index of the first message that does not fit into a batch; the message at `start` always fits.

    aiokafka's estimate is an upper bound, about a dozen bytes too high for each message.
    """
    used_bytes = BATCH_HEADER_BYTES
    for index in range(start, len(messages)):
        message = messages[index]
        estimate = DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, message.headers)
        used_bytes += estimate - BATCH_HEADER_BYTES
        if used_bytes > limit_bytes and index > start:
            return index
    return len(messages)


def _fill(batch: Any, messages: Sequence[OutboundMessage], start: int, stop: int) -> int:
    """Append messages until the batch is full; return the index of the first that is not in it."""
    append = batch._builder.append  # noqa: SLF001 - aiokafka's own method around it doubles the cost
    for index in range(start, stop):
        message = messages[index]
        relative_offset = index - start
        if append(relative_offset, message.timestamp_ms, message.key, message.value, message.headers) is None:
            stop = index
            break
    batch._relative_offset = stop - start  # noqa: SLF001
    batch.close()
    return stop
