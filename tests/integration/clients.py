"""A Kafka client other than the pipeline's own (librdkafka), to write and read messages and to read offsets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import Message as LibraryMessage

    _Headers = list[tuple[str, str | bytes | None]]

_REQUEST_SECONDS = 20
_POLL_SECONDS = 0.05
_MOST_UNCONFIRMED = 50_000
_BY_KEY = -1
_NOW = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message to write. If ``partition`` is None, murmur2 of the key decides, as in Kafka's Java client."""

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_milliseconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message that was read. It satisfies ``pipeline.core.messages.Message``."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


def produce(bootstrap_servers: str, topic: str, messages: Iterable[RawMessage], **configuration: str | float) -> int:
    """Write messages with ``acks=all`` and wait for every confirmation; return how many.

    Raises:
        AssertionError: the broker refused a message or did not confirm it in time.
    """
    failures: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "acks": "all",
            "max.in.flight": 1,
            "linger.ms": 5,
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in configuration.items()},
        }
    )

    def delivered(error: object, _message: LibraryMessage) -> None:
        if error:
            failures.append(str(error))

    count = 0
    for count, message in enumerate(messages, 1):  # noqa: B007 -- the count is the result
        while len(producer) >= _MOST_UNCONFIRMED:  # with a slow broker the writer waits and does not fail
            producer.poll(_POLL_SECONDS)
        producer.produce(
            topic,
            value=message.value,
            key=message.key,
            headers=list(message.headers),
            on_delivery=delivered,
            partition=_BY_KEY if message.partition is None else message.partition,
            timestamp=message.timestamp_milliseconds or _NOW,
        )
        producer.poll(0)
    left = producer.flush(_REQUEST_SECONDS)
    assert not left, f"{left} messages were not confirmed in {_REQUEST_SECONDS} s"
    assert not failures, failures[:5]
    return count


def partitions_of(bootstrap_servers: str, topic: str) -> list[int]:
    """Return the partitions of a topic, in order."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    return sorted(admin.list_topics(topic, timeout=_REQUEST_SECONDS).topics[topic].partitions)


def watermarks(bootstrap_servers: str, topic: str) -> dict[int, tuple[int, int]]:
    """Return the low and the high watermark, by partition."""
    consumer = _reader(bootstrap_servers)
    try:
        return {number: _watermark(consumer, topic, number) for number in partitions_of(bootstrap_servers, topic)}
    finally:
        consumer.close()


def _watermark(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Wait until the partition has a leader that answers: a topic is visible before that."""
    deadline = time.monotonic() + _REQUEST_SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_REQUEST_SECONDS)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            consumer.poll(_POLL_SECONDS)


def _reader(bootstrap_servers: str, isolation_level: str = "read_uncommitted") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reads-without-a-group",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.error.backoff.ms": 5,
            "fetch.queue.backoff.ms": 5,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "isolation.level": isolation_level,
            "log_level": 0,
        }
    )


def read_topic(bootstrap_servers: str, topic: str, *, read_committed: bool = False) -> list[StoredMessage]:
    """Read all messages of a topic up to its present end, partition by partition in offset order.

    Raises:
        AssertionError: the end is not reached in time.
    """
    consumer = _reader(bootstrap_servers, "read_committed" if read_committed else "read_uncommitted")
    stored: list[StoredMessage] = []
    try:
        marks = watermarks(bootstrap_servers, topic)
        open_partitions = {number for number, (low, high) in marks.items() if high > low}
        consumer.assign([TopicPartition(topic, number, marks[number][0]) for number in open_partitions])
        deadline = time.monotonic() + _REQUEST_SECONDS
        while open_partitions:
            assert time.monotonic() < deadline, f"partitions {sorted(open_partitions)} of {topic} did not end"
            for message in consumer.consume(1_000, timeout=_POLL_SECONDS):
                _take(message, stored, open_partitions)
    finally:
        consumer.close()
    return sorted(stored, key=lambda each: (each.partition, each.offset))


def _take(message: LibraryMessage, stored: list[StoredMessage], open_partitions: set[int]) -> None:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    error = message.error()
    if error is not None:
        assert error.name() == "_PARTITION_EOF", error
        open_partitions.discard(partition or 0)
        return
    assert topic is not None
    assert partition is not None
    assert offset is not None
    stored.append(
        StoredMessage(
            topic=topic,
            partition=partition,
            offset=offset,
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            timestamp=message.timestamp()[1],
            headers=tuple((name, _bytes(value) or b"") for name, value in cast("_Headers", message.headers() or [])),
        )
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def committed_offsets(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """Return the offsets that a group has committed, by partition; partitions without one are left out."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    partitions = [TopicPartition(topic, number) for number in partitions_of(bootstrap_servers, topic)]
    request = ConsumerGroupTopicPartitions(group, partitions)
    found = _group_offsets(admin, group, request)
    return {partition.partition: partition.offset for partition in found if partition.offset >= 0}


def _group_offsets(admin: AdminClient, group: str, request: ConsumerGroupTopicPartitions) -> list[TopicPartition]:
    """Wait until the group's coordinator answers: it loads when a cluster gets its first group."""
    deadline = time.monotonic() + _REQUEST_SECONDS
    while True:
        answer = admin.list_consumer_group_offsets([request], request_timeout=_REQUEST_SECONDS)[group]
        try:
            found: list[TopicPartition] = answer.result(_REQUEST_SECONDS).topic_partitions
        except KafkaException as error:
            loads = error.args[0].code() == KafkaError.COORDINATOR_LOAD_IN_PROGRESS
            if not loads or time.monotonic() > deadline:
                raise
            admin.poll(_POLL_SECONDS)
        else:
            return found


async def eventually(condition: Callable[[], bool], *, within_seconds: float = 20) -> None:
    """Wait until a condition is true; it is evaluated in a separate thread.

    Raises:
        AssertionError: the condition does not become true in time.
    """
    deadline = time.monotonic() + within_seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not so within {within_seconds} s"
        await asyncio.sleep(_POLL_SECONDS)
