from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from structlog.testing import capture_logs

from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.kafka.producer import BATCH_BYTES, BatchProducer, Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

BOUND_SECONDS = 5.0
TOPIC = "segment.records"


class Batch:
    """aiokafka's batch builder, which also keeps the values in it."""

    def __init__(self) -> None:
        self._builder = BatchBuilder(BATCH_BYTES, 0)
        self.values: list[bytes | None] = []

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: Any) -> Any:
        added = self._builder.append(key=key, value=value, timestamp=timestamp, headers=headers)
        if added is not None:
            self.values.append(value)
        return added


class Connection:
    """An aiokafka producer whose sends end as the broker of the test says."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self._sender = self
        self.sender_task = asyncio.ensure_future(self._send())
        self.client = self
        self.stopped = False

    async def _send(self) -> None:
        """Wait; away from its broker it ignores the first cancellation, as aiokafka's sender does."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._broker.may_close.is_set():
                raise
        await asyncio.Event().wait()

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._broker.receive(self, topic, partition, batch.values))

    async def stop(self) -> None:
        self.stopped = True
        await self._broker.may_close.wait()
        self.sender_task.cancel()

    async def close(self) -> None:
        self._broker.forced += 1


class FakeBroker:
    """Stores what it confirms; `answers` are the next outcomes, and without one a write is confirmed."""

    def __init__(self) -> None:
        self.answers: deque[Exception] = deque()
        self.refused_connections = 0
        self.largest_value = 10**9
        self.stored: dict[int, list[bytes | None]] = {}
        self.sends: list[tuple[int, int]] = []
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

    async def receive(self, connection: Connection, topic: str, partition: int, values: Sequence[bytes | None]) -> None:
        assert topic == TOPIC
        self.sends.append((self.connections.index(connection), len(values)))
        self._running[partition] = self._running.get(partition, 0) + 1
        self.most_sending_to_one[partition] = max(self.most_sending_to_one.get(partition, 0), self._running[partition])
        try:
            if (self.connections.index(connection), partition) in self.unanswered:
                await asyncio.Event().wait()
            await self.may_confirm.wait()
            if self.answers:
                raise self.answers.popleft()
            if sum(len(value or b"") for value in values) > self.largest_value:
                raise MessageSizeTooLargeError
            self.stored.setdefault(partition, []).extend(values)
        finally:
            self._running[partition] -= 1


class ProducerOnFakes(BatchProducer):
    def __init__(self, broker: FakeBroker) -> None:
        self.retries = 0
        self._broker = broker
        super().__init__(
            {}, on_retry=self._count, retry_seconds=0.0, refused_retry_seconds=0.0, request_timeout_seconds=0.1
        )

    def _count(self) -> None:
        self.retries += 1

    async def _connect(self) -> Any:
        if self._broker.refused_connections:
            self._broker.refused_connections -= 1
            raise KafkaConnectionError
        connection = Connection(self._broker)
        self._broker.connections.append(connection)
        return connection


def entries(*values: bytes) -> list[Entry]:
    return [Entry(key=None, value=value, timestamp_ms=None, headers=[]) for value in values]


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
    writing = asyncio.create_task(producer.write(TOPIC, 0, entries(b"1", b"2")))
    await asyncio.wait({writing}, timeout=0.05)
    assert not writing.done()
    broker.may_confirm.set()
    await writing
    assert broker.stored == {0: [b"1", b"2"]}


async def test_a_write_of_nothing_sends_nothing(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    await producer.write(TOPIC, 0, [])
    assert broker.sends == []


async def test_more_than_a_batch_holds_is_split_and_stays_in_order(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    values = [b"%06d" % number + b"x" * 10_000 for number in range(120)]
    await producer.write(TOPIC, 0, entries(*values))
    assert broker.stored[0] == values
    assert len(broker.sends) == 3


async def test_a_message_larger_than_a_batch_is_sent_alone(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    large = b"x" * (BATCH_BYTES + 1)
    await producer.write(TOPIC, 0, entries(b"1", large, b"2"))
    assert broker.stored[0] == [b"1", large, b"2"]
    assert [count for _, count in broker.sends] == [1, 1, 1]


async def test_one_write_at_a_time_goes_to_a_partition_and_partitions_are_written_side_by_side(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.may_confirm.clear()
    writes = [asyncio.create_task(producer.write(TOPIC, number % 2, entries(b"%d" % number))) for number in range(6)]
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
    await asyncio.gather(producer.write(TOPIC, 0, entries(b"1", b"2")), producer.write(TOPIC, 0, entries(b"3")))
    assert broker.stored == {0: [b"1", b"2", b"3"]}
    assert broker.sends == [(0, 2), (1, 2), (2, 2), (2, 1)]
    assert producer.retries == 2


async def test_a_connection_is_renewed_once_however_many_writes_saw_it_fail(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.extend(KafkaTimeoutError() for _ in range(4))
    await asyncio.gather(*(producer.write(TOPIC, number, entries(b"1")) for number in range(4)))
    assert len(broker.connections) == 2
    assert broker.stored == {number: [b"1"] for number in range(4)}


async def test_the_failed_connection_is_closed(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    await producer.write(TOPIC, 0, entries(b"1"))
    await asyncio.wait(producer._retiring.values(), timeout=BOUND_SECONDS) if producer._retiring else None
    assert [connection.stopped for connection in broker.connections] == [True, False]


async def test_a_write_that_waits_on_a_connection_which_another_partition_made_fail_is_repeated_on_the_new_one(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.unanswered.add((0, 0))
    broker.may_close.clear()
    waiting = asyncio.create_task(producer.write(TOPIC, 0, entries(b"1")))
    await asyncio.sleep(0)
    broker.answers.append(KafkaTimeoutError())
    await producer.write(TOPIC, 1, entries(b"2"))
    await asyncio.wait_for(waiting, BOUND_SECONDS)
    broker.may_close.set()
    assert broker.stored == {0: [b"1"], 1: [b"2"]}
    assert broker.forced == 1


async def test_connecting_is_tried_until_a_broker_answers(broker: FakeBroker, producer: ProducerOnFakes) -> None:
    broker.answers.append(KafkaTimeoutError())
    broker.refused_connections = 5
    await producer.write(TOPIC, 0, entries(b"1"))
    assert broker.stored == {0: [b"1"]}


async def test_a_producer_that_finds_no_broker_at_its_start_says_so_in_words(broker: FakeBroker) -> None:
    broker.refused_connections = 1
    with pytest.raises(KafkaUnreachableError, match="start again when it does"):
        await ProducerOnFakes(broker).start()


async def test_it_counts_as_retrying_from_the_first_failure_until_the_write_is_confirmed(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.answers.append(KafkaTimeoutError())
    seen = []
    broker.may_confirm.clear()
    writing = asyncio.create_task(producer.write(TOPIC, 0, entries(b"1")))
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
    writing = asyncio.create_task(producer.write(TOPIC, 0, entries(b"1")))
    await asyncio.wait({writing}, timeout=0.02)
    seen = [producer.retrying]
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    seen.append(producer.retrying)
    assert seen == [True, False]
    broker.refused_connections = 0
    await producer.write(TOPIC, 0, entries(b"2"))
    assert broker.stored == {0: [b"2"]}


async def test_a_message_that_is_too_large_stands_alone_and_is_said_while_the_ones_before_it_get_through(
    broker: FakeBroker, producer: ProducerOnFakes
) -> None:
    broker.largest_value = 100
    small, large = [b"%d" % number for number in range(7)], b"x" * 200
    with capture_logs() as logs:
        writing = asyncio.create_task(producer.write(TOPIC, 0, entries(*small[:3], large, *small[3:])))
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


async def test_a_stop_before_the_start_is_no_error(broker: FakeBroker) -> None:
    await ProducerOnFakes(broker).stop()
    assert broker.connections == []


async def test_writing_before_the_start_is_a_mistake(broker: FakeBroker) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        await ProducerOnFakes(broker).write(TOPIC, 0, entries(b"1"))
