"""Both brokers of the suite meet the pipeline's requirements; features that only one has are tested here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.local.broker import KEPT_BYTES_PER_PARTITION, Fault, Request
from tests.integration.brokers import EMBEDDED_CAPABILITIES, Broker, Capability
from tests.integration.clients import (
    RawMessage,
    committed_offsets,
    eventually,
    partitions_of,
    produce,
    read_topic,
    watermarks,
)


def _member(broker: Broker, group: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": broker.bootstrap_servers,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "heartbeat_interval_ms": 300,
        "session_timeout_ms": 1_500 if broker.embedded else 10_000,
    }


def test_a_topic_has_the_chosen_number_of_partitions(broker: Broker) -> None:
    assert partitions_of(broker.bootstrap_servers, broker.create_topic("many", 12)) == list(range(12))


def test_what_is_written_is_read_back_with_key_headers_and_time(broker: Broker) -> None:
    topic = broker.create_topic("echo", 2)
    message = RawMessage(
        key=b"u-1",
        value=b"{}",
        partition=1,
        headers=(("format-version", b"1"),),
        timestamp_milliseconds=1_700_000_000_000,
    )
    produce(broker.bootstrap_servers, topic, [message, RawMessage(key=b"u-1", value=None, partition=1)])
    first, second = read_topic(broker.bootstrap_servers, topic)
    assert (first.partition, first.offset, first.key, first.value) == (1, 0, b"u-1", b"{}")
    assert first.headers == (("format-version", b"1"),)
    assert first.timestamp == 1_700_000_000_000
    assert (second.offset, second.value) == (1, None)


def test_an_empty_topic_reads_as_nothing(broker: Broker) -> None:
    assert read_topic(broker.bootstrap_servers, broker.create_topic("empty", 3)) == []


async def test_an_idempotent_aiokafka_producer_writes_whole_batches(broker: Broker) -> None:
    topic = broker.create_topic("batches", 2)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True, acks="all", max_batch_size=200_000
    )
    await producer.start()
    try:
        builder = producer.create_batch()
        while builder.append(key=b"k", value=b"v" * 100, timestamp=None, headers=[("source-offset", b"1")]):
            pass
        count = builder.record_count()
        confirmed = await producer.send_batch(builder, topic, partition=1)
        assert (await confirmed).offset == 0
    finally:
        await producer.stop()
    assert watermarks(broker.bootstrap_servers, topic) == {0: (0, 0), 1: (0, count)}


async def test_a_consumer_group_keeps_its_commits(broker: Broker) -> None:
    topic, group = broker.create_topic("kept", 2), broker.unique("group")
    produce(broker.bootstrap_servers, topic, [RawMessage(value=b"x", partition=number) for number in (0, 1, 1)])
    async with AIOKafkaConsumer(topic, **_member(broker, group)) as member:
        await member.commit({TopicPartition(topic, 1): 2})
    assert committed_offsets(broker.bootstrap_servers, group, topic) == {1: 2}
    async with AIOKafkaConsumer(topic, **_member(broker, group)) as member:
        assert await member.committed(TopicPartition(topic, 1)) == 2
        assert await member.committed(TopicPartition(topic, 0)) is None


async def test_deleted_records_move_the_low_watermark(broker: Broker) -> None:
    topic = broker.create_topic("deleted", 2)
    for _ in range(3):
        produce(broker.bootstrap_servers, topic, [RawMessage(value=b"x", partition=1)])
    broker.delete_records(topic, 1, before_offset=2)
    assert watermarks(broker.bootstrap_servers, topic) == {0: (0, 0), 1: (2, 3)}


async def test_after_an_outage_the_stored_messages_are_there_and_writing_goes_on(broker: Broker) -> None:
    if Capability.OUTAGE not in broker.capabilities:
        pytest.skip("the cluster of KAFKA_BOOTSTRAP_SERVERS is not ours to stop")
    topic = broker.create_topic("outage")
    produce(broker.bootstrap_servers, topic, [RawMessage(value=b"before")])
    with broker.outage():
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        with pytest.raises(KafkaException):
            await asyncio.to_thread(admin.list_topics, timeout=1)
    produce(broker.bootstrap_servers, topic, [RawMessage(value=b"after")])
    assert [message.value for message in read_topic(broker.bootstrap_servers, topic)] == [b"before", b"after"]


@pytest.mark.embedded_only("injected faults")
async def test_an_injected_fault_meets_the_next_request_and_only_that(broker: Broker) -> None:
    assert broker.embedded is not None
    topic = broker.create_topic("faulty")
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", retry_backoff_ms=10)
    await producer.start()
    try:
        broker.embedded.fail_next(Request.PRODUCE, [Fault.NOT_ENOUGH_REPLICAS, Fault.DISCONNECT])
        stored = await producer.send_and_wait(topic, b"x", partition=0)
    finally:
        await producer.stop()
    assert stored.offset == 0
    assert watermarks(broker.bootstrap_servers, topic) == {0: (0, 1)}


@pytest.mark.embedded_only("the limit is the embedded broker's")
def test_the_embedded_broker_drops_the_oldest_beyond_its_limit_in_silence(broker: Broker) -> None:
    topic = broker.create_topic("evicted")
    messages = [RawMessage(value=b"x" * 1_000, partition=0)] * (KEPT_BYTES_PER_PARTITION // 900)
    produce(broker.bootstrap_servers, topic, messages)
    low, high = watermarks(broker.bootstrap_servers, topic)[0]
    assert high == len(messages)
    assert low > 0


@pytest.mark.real_only("CreateTopics and topic settings")
def test_topics_are_created_over_the_wire_with_their_settings(broker: Broker) -> None:
    assert {Capability.CREATE_TOPICS, Capability.TOPIC_CONFIGURATION}.isdisjoint(EMBEDDED_CAPABILITIES)
    topic = broker.create_topic("set", 3, retention_ms=3_600_000)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    again = admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])[topic]
    with pytest.raises(KafkaException, match="already exists"):
        again.result(20)


@pytest.mark.real_only("transactions")
def test_a_reader_of_committed_messages_does_not_see_an_aborted_transaction(broker: Broker) -> None:
    topic = broker.create_topic("transacted")
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": broker.unique("t"), "log_level": 0}
    )
    producer.init_transactions(20)
    for value, finish in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(20)
        finish(20)
    stored = read_topic(broker.bootstrap_servers, topic, read_committed=True)
    assert [(message.offset, message.value) for message in stored] == [(2, b"committed")]


@pytest.mark.real_only("compaction")
async def test_compaction_leaves_gaps_between_offsets(broker: Broker) -> None:
    topic = broker.create_topic(
        "compacted", cleanup_policy="compact", segment_bytes=1_048_576, min_cleanable_dirty_ratio=0.01, segment_ms=100
    )
    messages = [RawMessage(key=b"same", value=b"x" * 20_000)] * 200
    produce(broker.bootstrap_servers, topic, messages)

    def has_gaps() -> bool:
        produce(broker.bootstrap_servers, topic, [RawMessage(key=b"other", value=b"y")])
        offsets = [message.offset for message in read_topic(broker.bootstrap_servers, topic)]
        return offsets[-1] + 1 > len(offsets)

    await eventually(has_gaps, within_seconds=30)


@pytest.mark.real_only("groups of several members")
async def test_a_consumer_group_shares_the_partitions(broker: Broker) -> None:
    topic, group = broker.create_topic("shared", 4), broker.unique("group")
    produce(broker.bootstrap_servers, topic, [RawMessage(value=b"x", partition=number) for number in range(4)])
    seen: set[int] = set()
    async with (
        AIOKafkaConsumer(topic, **_member(broker, group)) as first,
        AIOKafkaConsumer(topic, **_member(broker, group)) as second,
        asyncio.timeout(30),
    ):
        while seen != {0, 1, 2, 3} or len(first.assignment()) != 2 or len(second.assignment()) != 2:
            for member in (first, second):
                seen |= {partition.partition for partition in await member.getmany(timeout_ms=200)}


@pytest.mark.real_only("commits of a member while others join")
async def test_a_member_may_commit_while_another_one_joins(broker: Broker) -> None:
    topic, group = broker.create_topic("joined", 2), broker.unique("group")
    first = AIOKafkaConsumer(topic, **_member(broker, group))
    second = AIOKafkaConsumer(topic, **_member(broker, group))
    await first.start()
    joining = asyncio.create_task(second.start())
    try:
        await first.commit({TopicPartition(topic, 0): 0})
        await first.getmany(timeout_ms=100)
        await joining
    finally:
        await asyncio.gather(first.stop(), second.stop())
    assert committed_offsets(broker.bootstrap_servers, group, topic) == {0: 0}
