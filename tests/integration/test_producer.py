"""Writes to a broker: order, confirmation, retries, and what another client reads back."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.kafka.dead_letters import DeadLetter, DeadLetterWriter
from pipeline.kafka.producer import BATCH_BYTES, BatchProducer, OutboundMessage
from pipeline.local.broker import Fault, Request
from pipeline.processor.deciding import STAGE
from tests.fakes.stream import FakeMessage
from tests.integration.clients import eventually, read_topic
from tests.integration.cluster_changes import limit_messages, set_topic
from tests.integration.stream_workers import numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from tests.integration.brokers import Broker


@asynccontextmanager
async def writing(broker: Broker, **changes: Any) -> AsyncIterator[BatchProducer]:
    times = {"retry_seconds": 0.05, "refused_retry_seconds": 0.2, **changes}
    producer = BatchProducer({"bootstrap_servers": broker.bootstrap_servers}, **times)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def outbound(values: Iterable[bytes]) -> list[OutboundMessage]:
    return [OutboundMessage(key=b"k", value=value, timestamp_ms=None, headers=[]) for value in values]


def values_in(broker: Broker, topic: str, partition: int = 0) -> list[bytes | None]:
    return [each.value for each in read_topic(broker.bootstrap_servers, topic) if each.partition == partition]


def firsts(values: Sequence[bytes | None]) -> list[bytes | None]:
    """Return the values in the order of their first occurrence."""
    return list(dict.fromkeys(values))


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "snappy", "zstd"])
async def test_another_client_reads_back_the_exact_bytes_in_order(broker: Broker, compression: str | None) -> None:
    topic = broker.create_topic("written", 2)
    now = int(time.time() * 1_000)  # a real broker deletes messages that are older than its retention
    written = [
        OutboundMessage(key=b"\xff\x00", value=b"\x00{not utf-8 \xfe", timestamp_ms=now, headers=[("h", b"\xff")]),
        OutboundMessage(key=None, value=b"", timestamp_ms=now + 1, headers=[]),
        OutboundMessage(key=b"", value=None, timestamp_ms=now + 2, headers=[("a", b"1"), ("a", b"2")]),
    ]
    async with writing(broker, compression=compression) as producer:
        await producer.write(topic, 1, written)
    read = await asyncio.to_thread(read_topic, broker.bootstrap_servers, topic)
    assert [(each.partition, each.key, each.value, each.timestamp, list(each.headers)) for each in read] == [
        (1, each.key, each.value, each.timestamp_ms, each.headers) for each in written
    ]


async def test_what_is_larger_than_a_batch_arrives_whole_and_in_order(broker: Broker) -> None:
    topic = broker.create_topic("large")
    values = [b"%05d" % number + b"x" * 1_000 for number in range(3 * BATCH_BYTES // 1_000)]
    async with writing(broker) as producer:
        await producer.write(topic, 0, outbound(values))
        assert await asyncio.to_thread(values_in, broker, topic) == values


async def test_writes_to_one_partition_follow_one_another_and_partitions_go_side_by_side(broker: Broker) -> None:
    topic = broker.create_topic("turns", 3)
    async with writing(broker) as producer:
        await asyncio.gather(
            *(
                producer.write(topic, partition, outbound(numbers(10, start=10 * turn)))
                for turn in range(5)
                for partition in range(3)
            )
        )
    for partition in range(3):
        assert await asyncio.to_thread(values_in, broker, topic, partition) == numbers(50)


@pytest.mark.embedded_only("injected faults")
@pytest.mark.parametrize(
    "faults",
    [[Fault.TOPIC_AUTHORIZATION_FAILED], [Fault.DISCONNECT] * 2, [Fault.NOT_LEADER_FOR_PARTITION] * 2],
    ids=["refused for good", "disconnected", "no leader"],
)
async def test_a_write_that_fails_is_repeated_in_order_before_any_later_one(
    broker: Broker, faults: list[Fault]
) -> None:
    assert broker.embedded is not None
    topic = broker.create_topic("faulty")
    async with writing(broker) as producer:
        await producer.write(topic, 0, outbound(numbers(5)))
        broker.embedded.fail_next(Request.PRODUCE, faults)
        await asyncio.gather(
            producer.write(topic, 0, outbound(numbers(5, start=5))),
            producer.write(topic, 0, outbound(numbers(5, start=10))),
        )
    assert firsts(await asyncio.to_thread(values_in, broker, topic)) == numbers(15)


@pytest.mark.embedded_only("an outage longer than a request's time")
async def test_an_outage_in_the_middle_of_writing_loses_nothing_and_keeps_the_order(broker: Broker) -> None:
    topic = broker.create_topic("outage", 2)
    retries: list[None] = []
    async with writing(broker, request_timeout_seconds=0.5, on_retry=lambda: retries.append(None)) as producer:
        await asyncio.gather(*(producer.write(topic, number, outbound(numbers(5))) for number in range(2)))
        with broker.outage():
            writes = [
                asyncio.create_task(producer.write(topic, number, outbound(numbers(5, start=5 * turn))))
                for turn in (1, 2)
                for number in range(2)
            ]
            async with asyncio.timeout(20):
                while not retries:
                    await asyncio.wait(writes, timeout=0.05)
            assert producer.retrying
            assert not any(write.done() for write in writes)
        async with asyncio.timeout(20):
            await asyncio.gather(*writes)
    for number in range(2):
        assert await asyncio.to_thread(values_in, broker, topic, number) == numbers(15)


@pytest.mark.embedded_only("a broker that does not answer")
async def test_a_stop_while_the_broker_is_away_ends_within_its_bound(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kafka.producer.STOP_SECONDS", 0.2)
    assert broker.embedded is not None
    topic = broker.create_topic("stopped")
    async with writing(broker) as producer:
        await producer.write(topic, 0, outbound(numbers(1)))
        broker.embedded.delay_answers(600_000)
        unconfirmed = asyncio.create_task(producer.write(topic, 0, outbound(numbers(1, start=1))))
        await asyncio.wait({unconfirmed}, timeout=0.1)
        unconfirmed.cancel()
        async with asyncio.timeout(5):
            await producer.stop()
    await asyncio.wait({unconfirmed})


@pytest.mark.real_only("a limit of the message size")
async def test_a_message_too_large_for_the_topic_lets_its_neighbours_through_and_is_tried_until_it_fits(
    broker: Broker,
) -> None:
    topic = broker.create_topic("limited", max_message_bytes=5_000)
    small, large = numbers(6), b"x" * 20_000
    with capture_logs() as logs:
        async with writing(broker, retry_seconds=0.01) as producer:
            write = asyncio.create_task(producer.write(topic, 0, outbound([*small[:3], large, *small[3:]])))
            await eventually(lambda: any(line["log_level"] == "error" for line in logs))
            assert await asyncio.to_thread(values_in, broker, topic) == small[:3]
            assert producer.retrying
            await asyncio.to_thread(limit_messages, broker, topic, 50_000)
            async with asyncio.timeout(20):
                await write
    assert await asyncio.to_thread(values_in, broker, topic) == [*small[:3], large, *small[3:]]
    assert not any(str(line).count("xxx") for line in logs)


class CountedConnections(BatchProducer):
    """A producer that counts its connections."""

    connections = 0

    async def _connect(self) -> Any:
        self.connections += 1
        return await super()._connect()


@pytest.mark.real_only("a limit of the message size")
@pytest.mark.parametrize("compression", [None, "lz4"])
async def test_a_topic_that_takes_small_batches_is_learnt_once_and_then_written_without_a_refusal(
    broker: Broker, compression: str | None
) -> None:
    topic = broker.create_topic("small-batches", 2, max_message_bytes=80_000)
    chance = random.Random(5)
    values = [b"%05d" % number + chance.randbytes(1_000) for number in range(1_200)]
    refusals: list[None] = []
    limits: list[tuple[str, int]] = []
    producer = CountedConnections(
        {"bootstrap_servers": broker.bootstrap_servers},
        compression=compression,
        on_retry=lambda: refusals.append(None),
        on_limit=lambda *learnt: limits.append(learnt),
        retry_seconds=0.01,
    )
    await producer.start()
    try:
        with capture_logs() as logs:
            await producer.write(topic, 0, outbound(values[:400]))
            assert (producer.connections, len(refusals), [name for name, _ in limits]) == (4, 3, [topic] * 4)
            for start in range(400, 1_200, 80):
                run = outbound(values[start : start + 80])
                handed = await producer.hand_over(topic, 0, run)
                await producer.write(topic, 0, run, handed=handed)
            await producer.write(topic, 1, outbound(values))
        assert (producer.connections, len(refusals)) == (4, 3), "nothing is refused any more"
    finally:
        await producer.stop()
    assert [line["topic"] for line in logs if line["log_level"] == "warning"] == [topic]
    for partition, expected in ((0, values), (1, values)):
        assert await asyncio.to_thread(values_in, broker, topic, partition) == expected


async def test_a_dead_letter_is_read_back_with_its_bytes_and_its_story(broker: Broker) -> None:
    topic = broker.create_topic("dead", 2)
    reason = next(iter(RejectReason))
    rejected = [
        FakeMessage(partition=3, offset=7, key=b"\xff", value=b"{broken"),
        FakeMessage(partition=1, offset=9, key=None, value=None),
    ]
    async with writing(broker) as producer:
        writer = DeadLetterWriter(producer, topic=topic, partitions=2, now_ms=lambda: 1_234)
        await writer.store(
            [
                DeadLetter(stage=STAGE, destination="segment", reason=reason, message=each, rules_version=b"r-9")
                for each in rejected
            ]
        )
    first, second = await asyncio.to_thread(read_topic, broker.bootstrap_servers, topic)
    assert [(each.partition, each.key, each.value) for each in (first, second)] == [
        (1, b"\xff", b"{broken"),
        (1, None, None),
    ]
    assert first.headers == (
        ("reason", reason.value.encode()),
        ("stage", b"processor"),
        ("destination", b"segment"),
        ("source-topic", b"onesignal.events"),
        ("source-partition", b"3"),
        ("source-offset", b"7"),
        ("source-timestamp", b"1700000000000"),
        ("rejected-at", b"1234"),
        ("rules-version", b"r-9"),
        ("format-version", b"2"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Settings of a topic, a message that it refuses, the resulting hold, and the settings that end the hold."""

    there: dict[str, str | float]
    key: bytes | None = b"k"
    value: bytes = b"2"
    timestamp_ms: int | None = None
    says: str
    hold: HoldReason
    mended: dict[str, str | float]


REFUSALS = {
    "a letter without a key, compacted": Refused(
        there={"cleanup_policy": "compact"},
        key=None,
        says="compacted, which requires keys",
        hold=HoldReason.KAFKA_REFUSES,
        mended={"cleanup_policy": "delete"},
    ),
    "a time in the future": Refused(
        there={"message_timestamp_type": "CreateTime"},
        timestamp_ms=2_000_000_000_000,
        says="correct this machine's clock",
        hold=HoldReason.CLOCK,
        mended={"message_timestamp_type": "LogAppendTime"},
    ),
    "larger than a segment": Refused(
        there={"segment_bytes": 1_048_576, "max_message_bytes": 2_097_152},
        value=bytes(1_500_000),
        says="raise segment.bytes",
        hold=HoldReason.MESSAGE_TOO_LARGE,
        mended={"segment_bytes": 4_194_304},
    ),
}


@pytest.mark.real_only("what a broker refuses")
@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
async def test_what_a_broker_refuses_for_good_is_a_hold_of_its_partition_until_the_topic_is_changed(
    broker: Broker, case: Refused
) -> None:
    topic = broker.create_topic("refusing", 2, **case.there)
    refused = OutboundMessage(key=case.key, value=case.value, timestamp_ms=case.timestamp_ms, headers=[])
    async with writing(broker) as producer:
        with capture_logs() as logs:
            held = asyncio.create_task(producer.write(topic, 0, [*outbound([b"1"]), refused, *outbound([b"3"])]))
            async with asyncio.timeout(30):
                while producer.hold_reason is None:
                    await asyncio.wait({held}, timeout=0.05)
                await producer.write(topic, 1, outbound([b"other"]))
        reason, holds = producer.hold_reason, producer.holds
        assert case.says in reason
        assert topic in reason
        assert holds == frozenset({case.hold})
        assert producer.repeats(topic, 0)
        assert [line["event"] for line in logs if line["log_level"] == "error"] == [reason]
        await asyncio.to_thread(set_topic, broker, topic, **case.mended)
        async with asyncio.timeout(30):
            await held
        assert not producer.holds
    assert await asyncio.to_thread(values_in, broker, topic) == [b"1", case.value, b"3"]
    assert await asyncio.to_thread(values_in, broker, topic, 1) == [b"other"]
