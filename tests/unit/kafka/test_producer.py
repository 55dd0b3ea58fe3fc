from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    kafka_errors,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipeline.kafka.errors import ClusterFaultError, KafkaUnreachableError
from pipeline.kafka.producer import BATCH_BYTES, BatchProducer, OutboundMessage
from pipeline.kafka.refusals import InvalidRecordError, find_refusal
from tests.fakes.virtual_time import run_virtual

BOUND_SECONDS = 5.0
MUST_BE = {
    "bootstrap_servers": "k:9092",
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "lz4",
    "request_timeout_ms": 2_500,
}
TOPIC = "segment.records"


class Batch(BatchBuilder):  # type: ignore[misc] # aiokafka has no types
    """aiokafka's batch builder, which can also be read."""

    def __init__(self) -> None:
        super().__init__(BATCH_BYTES, 0)

    def values(self) -> list[bytes | None]:
        """Return the values of the messages, as a broker reads them."""
        values = [record.value for record in self.records()]
        assert self.record_count() == len(values)
        return values

    def records(self) -> list[Any]:
        """Return the batch's records. A broker accepts them only if they are numbered from 0."""
        assert self._closed, "aiokafka must append nothing to it"
        records = MemoryRecords(bytes(self._build()))
        found = list(records.next_batch()) if records.has_next() else []
        assert [record.offset for record in found] == list(range(len(found)))
        return found


class Connection:
    """An aiokafka producer whose sends complete as the fake broker defines."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self._sender = self
        self.sender_task = asyncio.ensure_future(self._send())
        self.client = self.cluster = self._message_accumulator = self
        self._batches: dict[tuple[str, int], list[object]] = {}
        self.has_metadata = True
        self.stopped = False
        self.error_of_sending: Exception | None = None
        self.error_of_closing: Exception | None = None

    async def _send(self) -> None:
        """Wait; while the broker is away, ignore the first cancellation, as aiokafka's sender does."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._broker.may_close.is_set():
                raise
        await asyncio.Event().wait()

    def leader_for_partition(self, partition: Any) -> int:
        del partition
        return 1

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0, 1} if topic == TOPIC and self.has_metadata else None

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        if self.error_of_sending is not None:
            raise self.error_of_sending
        return asyncio.ensure_future(self._broker.receive(self, topic, partition, batch))

    async def stop(self) -> None:
        self.stopped = True
        await self._broker.may_close.wait()
        if self.error_of_closing is not None:
            raise self.error_of_closing
        self.sender_task.cancel()

    async def close(self) -> None:
        self._broker.forced += 1


class FakeBroker:
    """Stores the writes that it confirms; `answers` are the next outcomes. Without one, a write is confirmed."""

    def __init__(self) -> None:
        self.answers: deque[Exception] = deque()
        self.refused_connections = 0
        self.error_of_connecting: type[Exception] = KafkaConnectionError
        self.largest_value = 10**9
        self.largest_batch = 10**9
        self.stored: dict[int, list[bytes | None]] = {}
        self.sends: list[tuple[int, int]] = []
        self.refused: list[int] = []
        self.records: list[Any] = []
        self.connections: list[Connection] = []
        self.sending = 0
        self.most_sending_to_one: dict[int, int] = {}
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.unanswered: set[tuple[int, int]] = set()
        self.forced = 0
        self._running: dict[int, int] = {}

    async def receive(self, connection: Connection, topic: str, partition: int, batch: Batch) -> None:
        assert topic == TOPIC
        values, size = batch.values(), batch.size()
        self.sends.append((self.connections.index(connection), len(values)))
        self._running[partition] = self._running.get(partition, 0) + 1
        self.most_sending_to_one[partition] = max(self.most_sending_to_one.get(partition, 0), self._running[partition])
        try:
            if (self.connections.index(connection), partition) in self.unanswered:
                await asyncio.Event().wait()
            await self.may_confirm.wait()
            if self.answers:
                raise self.answers.popleft()
            if sum(len(value or b"") for value in values) > self.largest_value or size > self.largest_batch:
                self.refused.append(len(values))
                raise MessageSizeTooLargeError
            self.stored.setdefault(partition, []).extend(values)
            self.records += batch.records()
        finally:
            self._running[partition] -= 1


class ProducerOnFakes(BatchProducer):
    def __init__(self, broker: FakeBroker) -> None:
        self.retries = 0
        self.limits: list[tuple[str, int]] = []
        self._broker = broker
        super().__init__(
            {},
            on_retry=self._count,
            on_limit=lambda topic, limit_bytes: self.limits.append((topic, limit_bytes)),
            retry_seconds=0.0,
            refused_retry_seconds=0.0,
            request_timeout_seconds=0.1,
        )

    def _count(self) -> None:
        self.retries += 1

    async def _connect(self) -> Any:
        if self._broker.refused_connections:
            self._broker.refused_connections -= 1
            raise self._broker.error_of_connecting
        connection = Connection(self._broker)
        self._broker.connections.append(connection)
        return connection


def outbound(*values: bytes) -> list[OutboundMessage]:
    return [OutboundMessage(key=None, value=value, timestamp_ms=None, headers=[]) for value in values]


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
async def producer(broker: FakeBroker) -> ProducerOnFakes:
    producer = ProducerOnFakes(broker)
    await producer.start()
    return producer


async def test_a_write_returns_when_everything_is_confirmed(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.may_confirm.clear()
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1", b"2")))
    await asyncio.wait({writing}, timeout=0.05)
    assert not writing.done()
    broker.may_confirm.set()
    await writing
    assert broker.stored == {0: [b"1", b"2"]}


async def test_a_message_is_written_with_its_key_its_time_and_its_headers(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    await producer.write(TOPIC, 0, [OutboundMessage(key=b"k", value=b"v", timestamp_ms=1_700, headers=[("h", b"1")])])
    (record,) = broker.records
    assert (record.key, record.value, record.timestamp, record.headers) == (b"k", b"v", 1_700, [("h", b"1")])


def test_a_batch_is_one_that_every_broker_takes() -> None:
    assert 100_000 < BATCH_BYTES < 1_048_588


async def test_a_write_of_nothing_sends_nothing(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    await producer.write(TOPIC, 0, [])
    assert broker.sends == []


async def test_more_than_a_batch_holds_is_split_and_stays_in_order(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    values = [b"%06d" % number + b"x" * 10_000 for number in range(120)]
    await producer.write(TOPIC, 0, outbound(*values))
    assert broker.stored[0] == values
    assert len(broker.sends) == 3


async def test_a_message_larger_than_a_batch_is_sent_alone(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    large = b"x" * (BATCH_BYTES + 1)
    await producer.write(TOPIC, 0, outbound(b"1", large, b"2"))
    assert broker.stored[0] == [b"1", large, b"2"]
    assert [count for _, count in broker.sends] == [1, 1, 1]


async def test_one_write_at_a_time_goes_to_a_partition_and_partitions_are_written_side_by_side(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    writes = [asyncio.create_task(producer.write(TOPIC, number % 2, outbound(b"%d" % number))) for number in range(6)]
    await asyncio.wait(writes, timeout=0.05)
    assert len(broker.sends) == 2
    broker.may_confirm.set()
    await asyncio.gather(*writes)
    assert broker.stored == {0: [b"0", b"2", b"4"], 1: [b"1", b"3", b"5"]}
    assert broker.most_sending_to_one == {0: 1, 1: 1}


async def test_a_failed_write_is_repeated_on_a_new_connection_before_any_later_one(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.extend([KafkaTimeoutError(), OSError()])
    await asyncio.gather(producer.write(TOPIC, 0, outbound(b"1", b"2")), producer.write(TOPIC, 0, outbound(b"3")))
    assert broker.stored == {0: [b"1", b"2", b"3"]}
    assert broker.sends == [(0, 2), (1, 2), (2, 2), (2, 1)]
    assert producer.retries == 2


async def test_a_connection_is_renewed_once_however_many_writes_saw_it_fail(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.extend(KafkaTimeoutError() for _ in range(4))
    await asyncio.gather(*(producer.write(TOPIC, number, outbound(b"1")) for number in range(4)))
    assert len(broker.connections) == 2
    assert broker.stored == {number: [b"1"] for number in range(4)}


async def test_the_failed_connection_is_closed(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    await producer.write(TOPIC, 0, outbound(b"1"))
    await asyncio.wait(producer._retiring.values(), timeout=BOUND_SECONDS) if producer._retiring else None
    assert [connection.stopped for connection in broker.connections] == [True, False]


async def test_a_write_that_waits_on_a_connection_which_another_partition_made_fail_is_repeated_on_the_new_one(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.unanswered.add((0, 0))
    broker.may_close.clear()
    waiting = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    await asyncio.sleep(0)
    broker.answers.append(KafkaTimeoutError())
    await producer.write(TOPIC, 1, outbound(b"2"))
    await asyncio.wait_for(waiting, BOUND_SECONDS)
    broker.may_close.set()
    assert broker.stored == {0: [b"1"], 1: [b"2"]}
    assert broker.forced == 1


async def test_connecting_is_tried_until_a_broker_answers(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    broker.refused_connections = 5
    await producer.write(TOPIC, 0, outbound(b"1"))
    assert broker.stored == {0: [b"1"]}


async def test_a_producer_that_finds_no_broker_at_its_start_says_so_in_words(broker: FakeBroker) -> None:
    broker.refused_connections = 1
    with pytest.raises(KafkaUnreachableError, match="start again when it answers"):
        await ProducerOnFakes(broker).start()


async def test_a_producer_that_may_not_write_at_all_does_not_start(broker: FakeBroker) -> None:
    broker.refused_connections, broker.error_of_connecting = 1, ClusterAuthorizationFailedError
    with pytest.raises(ClusterFaultError, match="IdempotentWrite"):
        await ProducerOnFakes(broker).start()


@pytest.mark.parametrize("while_connecting", [False, True])
async def test_a_write_that_the_broker_refuses_is_logged_once_and_repeated_until_it_is_stored(
    broker: FakeBroker, producer: ProducerOnFakes, *, while_connecting: bool
) -> None:
    if while_connecting:
        broker.answers.append(KafkaTimeoutError())
        broker.refused_connections, broker.error_of_connecting = 3, TopicAuthorizationFailedError
    else:
        broker.answers += [TopicAuthorizationFailedError() for _ in range(3)]
    with capture_logs() as logs:
        await producer.write(TOPIC, 0, outbound(b"1"))
    refusal = find_refusal(TopicAuthorizationFailedError(), TOPIC)
    assert refusal is not None
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [refusal.reason]
    assert (broker.stored, producer.hold_reason) == ({0: [b"1"]}, None)


async def test_the_clock_reads_the_time_of_every_confirmation_and_knows_its_broker(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    watched: list[tuple[float, int]] = []
    clock: Any = SimpleNamespace(steady=lambda: 7.0)
    clock.watch = lambda _confirmation, asked_at, broker: watched.append((asked_at, broker))
    producer._clock = clock
    await producer.write(TOPIC, 0, outbound(b"1"))
    assert (watched, broker.stored) == ([(7.0, 1)], {0: [b"1"]})


async def test_it_counts_as_retrying_from_the_first_failure_until_the_write_is_confirmed(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.append(KafkaTimeoutError())
    seen = []
    broker.may_confirm.clear()
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    await asyncio.wait({writing}, timeout=0.02)
    seen.append((len(broker.sends), producer.retrying))
    broker.may_confirm.set()
    await asyncio.sleep(0)
    broker.may_confirm.clear()
    await asyncio.wait({writing}, timeout=0.05)
    seen.append((len(broker.sends), producer.retrying))
    broker.may_confirm.set()
    await writing
    seen.append((len(broker.sends), producer.retrying))
    assert seen == [(1, False), (2, True), (2, False)]


async def test_a_cancelled_write_makes_room_for_the_next_one(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    broker.refused_connections = 10**9
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    await asyncio.wait({writing}, timeout=0.02)
    seen = [producer.retrying]
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    seen.append(producer.retrying)
    assert seen == [True, False]
    broker.refused_connections = 0
    await producer.write(TOPIC, 0, outbound(b"2"))
    assert broker.stored == {0: [b"2"]}


async def test_a_message_that_is_too_large_stands_alone_and_is_said_while_the_ones_before_it_get_through(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_value = 100
    small, large = [b"%d" % number for number in range(7)], b"x" * 200
    with capture_logs() as logs:
        writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(*small[:3], large, *small[3:])))
        async with asyncio.timeout(BOUND_SECONDS):
            while not any(line["log_level"] == "error" for line in logs):
                await asyncio.wait({writing}, timeout=0.01)
    assert broker.stored[0] == small[:3]
    assert producer.retrying
    assert "max.message.bytes" in (producer.hold_reason or "")
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [producer.hold_reason]
    broker.largest_value = 1_000
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert producer.hold_reason is None
    assert broker.stored[0] == [*small[:3], large, *small[3:]]


def kilobytes(count: int, *, start: int = 0) -> list[bytes]:
    return [b"%06d" % number + b"x" * 1_000 for number in range(start, start + count)]


async def test_the_size_that_a_topic_takes_is_learnt_once_and_later_batches_begin_with_it(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_batch = 100_000
    values = kilobytes(900)
    with capture_logs() as logs:
        await producer.write(TOPIC, 0, outbound(*values[:300]))
        refused, connections = len(broker.refused), len(broker.connections)
        await producer.write(TOPIC, 0, outbound(*values[300:600]))
        await asyncio.gather(
            producer.write(TOPIC, 0, outbound(*values[600:])), producer.write(TOPIC, 1, outbound(b"1"))
        )
    assert (refused, connections) == (2, 3)
    assert (len(broker.refused), len(broker.connections)) == (refused, connections), "nothing is refused any more"
    assert broker.stored == {0: values, 1: [b"1"]}
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [(line["topic"], line["limit_bytes"] * 2 // 1_000) for line in warnings] == [(TOPIC, 304)]
    assert [topic for topic, _ in producer.limits] == [TOPIC] * 3
    assert producer.limits[0] == (TOPIC, BATCH_BYTES)
    assert 50_000 < producer.limits[-1][1] <= 100_000


async def test_what_is_handed_over_keeps_to_the_size_that_was_learnt(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_batch = 100_000
    first, second, third = kilobytes(150), kilobytes(40, start=150), kilobytes(300, start=190)
    handed = await producer.hand_over(TOPIC, 0, outbound(*first))
    await producer.write(TOPIC, 0, outbound(*first), handed=handed)
    assert (broker.refused, len(broker.connections)) == ([150], 2)
    _, limit_bytes = producer.limits[-1]
    assert await producer.hand_over(TOPIC, 0, outbound(b"x" * (limit_bytes - 1_000), b"y" * 2_000)) is None
    handed = await producer.hand_over(TOPIC, 0, outbound(*second))
    assert handed is not None
    await producer.write(TOPIC, 0, outbound(*second), handed=handed)
    assert await producer.hand_over(TOPIC, 0, outbound(*third)) is None
    await producer.write(TOPIC, 0, outbound(*third))
    assert (broker.refused, len(broker.connections)) == ([150], 2)
    assert broker.stored[0] == [*first, *second, *third]
    fullest = max(count for _, count in broker.sends[-4:])
    assert fullest * len(third[0]) > 0.93 * limit_bytes, "it is used, or nearly"


async def test_batches_that_are_refused_side_by_side_are_one_lesson(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_batch = 100_000
    values = kilobytes(150)
    handed = {number: await producer.hand_over(TOPIC, number, outbound(*values)) for number in range(4)}
    await asyncio.gather(
        *(producer.write(TOPIC, number, outbound(*values), handed=each) for number, each in handed.items())
    )
    assert broker.refused == [150] * 4
    assert len(broker.connections) == 2
    assert [limit_bytes // 1_000 for _, limit_bytes in producer.limits] == [BATCH_BYTES // 1_000, 76]
    assert broker.stored == dict.fromkeys(range(4), values)


async def test_a_message_that_is_refused_alone_teaches_nothing(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.largest_batch = 10_000
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"x" * 20_000)))
    async with asyncio.timeout(BOUND_SECONDS):
        while len(broker.refused) < 3:
            await asyncio.wait({writing}, timeout=0.01)
    assert producer.limits == [(TOPIC, BATCH_BYTES)]
    broker.largest_batch = 10**6
    await asyncio.wait_for(writing, BOUND_SECONDS)
    await producer.write(TOPIC, 0, outbound(*kilobytes(300)))
    assert broker.sends[-1][1] == 300


async def test_a_message_that_is_refused_alone_behind_others_teaches_nothing_either(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_batch = 300_000
    values = [b"x" * 260_000, b"y" * 400_000]
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(*values)))
    async with asyncio.timeout(BOUND_SECONDS):
        while len(broker.refused) < 2:
            await asyncio.wait({writing}, timeout=0.01)
    assert producer.limits == [(TOPIC, BATCH_BYTES)]
    broker.largest_batch = 10**6
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert broker.stored[0] == values


async def test_each_message_that_is_refused_alone_is_said_once(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    async def until_refused(more: int) -> None:
        refused = len(broker.refused) + more
        async with asyncio.timeout(BOUND_SECONDS):
            while len(broker.refused) < refused:
                await asyncio.wait({writing}, timeout=0.01)

    broker.largest_value = 100
    with capture_logs() as logs:
        writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"x" * 200, b"y" * 2_000)))
        await until_refused(4)
        broker.largest_value = 1_000
        await until_refused(4)
        broker.largest_value = 10_000
        await asyncio.wait_for(writing, BOUND_SECONDS)
    assert len([line for line in logs if line["log_level"] == "error"]) == 2


def test_without_settings_tries_keep_a_pause() -> None:
    producer = BatchProducer({})
    assert producer._retry_seconds >= 0.5
    assert producer._refused_retry_seconds >= 0.5


async def test_a_message_that_is_too_large_takes_its_neighbours_limit_no_lower_than_half_of_what_the_topic_takes(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_batch = 100_000
    values = [*kilobytes(20), b"x" * 150_000, *kilobytes(20, start=20)]
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(*values)))
    async with asyncio.timeout(BOUND_SECONDS):
        while producer.hold_reason is None:
            await asyncio.wait({writing}, timeout=0.01)
    assert broker.stored[0] == values[:20]
    broker.largest_batch = 200_000
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert broker.stored[0] == values
    assert producer.limits[-1][1] > 50_000


@given(
    st.lists(st.lists(st.integers(0, 3_000), min_size=1, max_size=60), min_size=1, max_size=6),
    st.integers(3_200, 100_000),
)
def test_once_a_size_is_learnt_nothing_is_refused_and_nothing_is_lost_or_out_of_order(
    runs: list[list[int]], largest_batch: int
) -> None:
    async def story() -> None:
        broker = FakeBroker()
        producer = ProducerOnFakes(broker)
        await producer.start()
        broker.largest_batch = largest_batch
        everything = [b"%06d" % number + b"x" * 3_000 for number in range(60)]
        await producer.write(TOPIC, 1, outbound(*everything))
        known = len(broker.refused)
        written: list[bytes] = []
        for sizes in runs:
            values = [b"%06d" % (len(written) + n) + b"x" * size for n, size in enumerate(sizes)]
            written += values
            handed = await producer.hand_over(TOPIC, 0, outbound(*values))
            await producer.write(TOPIC, 0, outbound(*values), handed=handed)
        assert broker.stored == {0: written, 1: everything}
        limits = [limit_bytes for _, limit_bytes in producer.limits[1:]]
        assert len(broker.refused) == known or limits[known - 1] > largest_batch
        assert all(limit_bytes >= largest_batch // 2 for limit_bytes in limits)
        assert len(broker.refused) == len(limits) == len(broker.connections) - 1
        assert len(limits) <= BATCH_BYTES.bit_length() - largest_batch.bit_length() + 1
        await producer.stop()

    asyncio.run(story())


async def test_a_stop_waits_for_what_is_unconfirmed_no_longer_than_its_bound(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kafka.producer.STOP_SECONDS", 0.05)
    producer = ProducerOnFakes(broker)
    await producer.start()
    broker.may_close.clear()
    await asyncio.wait_for(producer.stop(), BOUND_SECONDS)
    assert broker.forced == 1
    assert broker.connections[0].sender_task.cancelled()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stop_before_the_start_is_no_error(broker: FakeBroker) -> None:
    await ProducerOnFakes(broker).stop()
    assert broker.connections == []


async def test_writing_before_the_start_is_a_mistake(broker: FakeBroker) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        await ProducerOnFakes(broker).write(TOPIC, 0, outbound(b"1"))


async def test_every_write_is_idempotent_and_confirmed_by_all_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Asked:
        def __init__(self, **arguments: Any) -> None:
            asked.append(arguments)

        async def start(self) -> None:
            """Connect at once."""

    monkeypatch.setattr("aiokafka.AIOKafkaProducer", Asked)
    monkeypatch.delitem(kafka_errors, InvalidRecordError.errno, raising=False)
    await BatchProducer({"bootstrap_servers": "k:9092"}, compression="lz4", request_timeout_seconds=2.5).start()
    assert kafka_errors[InvalidRecordError.errno] is InvalidRecordError, "aiokafka would raise an unknown error instead"
    assert [{name: each.get(name) for name in MUST_BE} for each in asked] == [MUST_BE]


async def test_a_run_is_handed_over_without_a_wait_and_confirmed_later(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    handed = await producer.hand_over(TOPIC, 0, outbound(b"1", b"2"))
    assert handed is not None
    assert not handed.confirmation.done()
    broker.may_confirm.set()
    await handed.confirmation
    assert broker.stored == {0: [b"1", b"2"]}


async def test_nothing_is_handed_over_to_a_partition_that_is_being_written(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    await asyncio.sleep(0)
    assert await producer.hand_over(TOPIC, 0, outbound(b"2")) is None
    other = await producer.hand_over(TOPIC, 1, outbound(b"3"))
    assert other is not None
    broker.may_confirm.set()
    await asyncio.gather(writing, other.confirmation)
    assert broker.stored == {0: [b"1"], 1: [b"3"]}


async def test_nothing_is_handed_over_while_the_connection_is_renewed(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.append(KafkaTimeoutError())
    broker.refused_connections = 10**9
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    await asyncio.wait({writing}, timeout=0.02)
    assert await producer.hand_over(TOPIC, 1, outbound(b"2")) is None
    broker.refused_connections = 0
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert broker.stored == {0: [b"1"]}


async def test_nothing_is_handed_over_where_aiokafka_would_wait(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    (connection,) = broker.connections
    connection._batches[TOPIC, 0] = ["of a run that was given up"]
    assert await producer.hand_over(TOPIC, 0, outbound(b"a")) is None
    assert await producer.hand_over(TOPIC, 1, outbound(b"b")) is not None
    connection.has_metadata = False
    assert await producer.hand_over(TOPIC, 1, outbound(b"c")) is None


@pytest.mark.parametrize(("size", "count"), [(100_000, 10), (400, 1_300)])  # the second only with keys and headers
async def test_more_than_one_batch_holds_is_not_handed_over(
    broker: FakeBroker, producer: ProducerOnFakes, size: int, count: int
) -> None:
    assert (count * size > BATCH_BYTES) == (count == 10)
    assert await producer.hand_over(TOPIC, 0, outbound(*[b"x" * size] * count)) is None
    assert broker.sends == []


async def test_what_was_handed_over_is_confirmed_and_not_sent_again(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    run = outbound(b"1", b"2")
    handed = await producer.hand_over(TOPIC, 0, run)
    writing = asyncio.create_task(producer.write(TOPIC, 0, run, handed=handed))
    await asyncio.sleep(0)
    assert producer.repeats(TOPIC, 0), "it was waited for as long as it may take"
    broker.may_confirm.set()
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert not producer.repeats(TOPIC, 0)
    assert broker.stored == {0: [b"1", b"2"]}
    assert broker.sends == [(0, 2)]


async def test_what_was_handed_over_and_failed_is_written_again(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    run = outbound(b"1", b"2")
    handed = await producer.hand_over(TOPIC, 0, run)
    await asyncio.wait_for(producer.write(TOPIC, 0, run, handed=handed), BOUND_SECONDS)
    assert broker.stored == {0: [b"1", b"2"]}
    assert broker.sends == [(0, 2), (1, 2)]


async def test_after_a_message_that_was_too_large_the_next_write_goes_through_a_new_connection(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_value = 100
    await producer.write(TOPIC, 0, outbound(b"x" * 60, b"y" * 60))
    assert broker.sends == [(0, 2), (1, 1), (1, 1)], "aiokafka leaves a hole in the sequence numbers of the first one"


async def test_repeated_writes_are_known_by_their_partition(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    broker.refused_connections = 10**9
    writing = asyncio.create_task(producer.write(TOPIC, 1, outbound(b"1")))
    await asyncio.wait({writing}, timeout=0.02)
    assert [producer.repeats(*partition) for partition in ((TOPIC, 1), (TOPIC, 0), ("a", 1))] == [True, False, False]
    broker.refused_connections = 0
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert not producer.repeats(TOPIC, 1)


async def test_a_write_that_is_given_up_holds_nothing_any_more(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.largest_value = 100
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"x" * 200)))
    await asyncio.wait({writing}, timeout=0.05)
    held = producer.hold_reason
    writing.cancel()
    await asyncio.wait({writing})
    assert held is not None
    assert producer.hold_reason is None


async def test_a_connection_that_fails_is_closed_and_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    effects: list[str] = []

    class Failing:
        def __init__(self, **_arguments: Any) -> None:
            """Create a producer that is not connected yet."""

        async def start(self) -> None:
            effects.append("started")
            raise KafkaConnectionError

        async def stop(self) -> None:
            effects.append("stopped")

    monkeypatch.setattr("aiokafka.AIOKafkaProducer", Failing)
    with pytest.raises(KafkaUnreachableError):
        await BatchProducer({}).start()
    assert effects == ["started", "stopped"]


async def test_a_write_that_is_not_confirmed_in_time_counts_as_repeated_and_is_not_sent_twice(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"1")))
    async with asyncio.timeout(BOUND_SECONDS):
        while producer.retries < 2:
            await asyncio.wait({writing}, timeout=0.02)
    assert producer.repeats(TOPIC, 0)
    broker.may_confirm.set()
    await asyncio.wait_for(writing, BOUND_SECONDS)
    assert (broker.stored, broker.sends) == ({0: [b"1"]}, [(0, 1)])


async def test_nobody_has_to_look_at_the_end_of_a_write_that_was_given_up(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    run = outbound(b"1")
    handed = await producer.hand_over(TOPIC, 0, run)
    assert handed is not None
    writing = asyncio.create_task(producer.write(TOPIC, 0, run, handed=handed))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait({writing, handed.confirmation}, timeout=BOUND_SECONDS)
    assert handed.confirmation.cancelled()


@pytest.mark.parametrize("error", [KafkaTimeoutError(), OSError()])
async def test_a_run_that_aiokafka_does_not_take_is_not_handed_over(
    broker: FakeBroker, producer: ProducerOnFakes, error: Exception
) -> None:
    broker.connections[0].error_of_sending = error
    assert await producer.hand_over(TOPIC, 0, outbound(b"1")) is None


async def test_after_a_stop_nothing_can_be_written_and_no_connection_is_left(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_close.clear()
    broker.answers.append(KafkaTimeoutError())
    await producer.write(TOPIC, 0, outbound(b"1"))
    retiring = list(producer._retiring.values())
    stopping = asyncio.create_task(producer.stop())
    await asyncio.sleep(0)
    broker.connections[1].error_of_closing = OSError()
    broker.may_close.set()
    await asyncio.wait_for(stopping, BOUND_SECONDS)
    await asyncio.wait(retiring, timeout=BOUND_SECONDS)
    assert len(retiring) == 1
    assert broker.forced == 1, "the one that was given up before is not waited for"
    assert producer._retiring == {}
    with pytest.raises(RuntimeError, match="not started"):
        await producer.write(TOPIC, 0, outbound(b"2"))


def test_connecting_again_and_a_message_that_is_refused_alone_are_tried_with_pauses() -> None:
    async def story() -> tuple[float, int, int, list[str]]:
        broker = FakeBroker()
        producer = ProducerOnFakes(broker)
        producer._retry_seconds, producer._refused_retry_seconds = 1.0, 10.0
        await producer.start()
        broker.answers.append(KafkaTimeoutError())
        broker.refused_connections = 3
        await producer.write(TOPIC, 0, outbound(b"1"))
        connected = asyncio.get_running_loop().time()
        broker.largest_value = 100
        with capture_logs() as logs:
            writing = asyncio.create_task(producer.write(TOPIC, 0, outbound(b"x" * 200)))
            await asyncio.sleep(25)
        refused = len(broker.refused)
        broker.largest_value = 1_000
        await writing
        await producer.stop()
        errors = [line["event"] for line in logs if line["log_level"] == "error"]
        return connected, refused, len(broker.stored[0]), errors

    connected, refused, stored, errors = run_virtual(story())
    assert connected == 4
    assert (refused, stored) == (3, 2)
    assert len(errors) == 1
