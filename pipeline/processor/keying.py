"""Check whether the raw topic is keyed by user: all state of users depends on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiokafka
import structlog
from aiokafka.errors import KafkaError

from pipeline.core.events import Event
from pipeline.core.identity import identify, user_key
from pipeline.core.ids import EMPTY_IDS
from pipeline.kafka.errors import ClusterFaultError, KafkaUnreachableError, UnreadableTopicError
from pipeline.kafka.fetched.messages import light_message
from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.reading import POLL_MS, open_consumer
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.core.ids import EmptyIds
    from pipeline.core.messages import Message
    from pipeline.core.outcomes import RejectReason
    from pipeline.kafka.connection import ConnectionOptions

logger = structlog.get_logger(__name__)

SAMPLE_MESSAGES: Final = 100
"""How many of the latest messages of a partition are checked."""
SAMPLE_BYTES: Final = 1024 * 1024
"""Bytes of keys and values of a partition; messages beyond it are not checked."""
SAMPLE_PARTITIONS: Final = 32
SAMPLE_SECONDS: Final = 10.0
MOST_FOREIGN: Final = 0.01
"""One event in a hundred may be in another partition: ids change, and some messages are written by hand."""


class ForeignKeysError(ClusterFaultError):
    """The raw topic is not keyed by user, and the rules require it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The latest messages that name a user, and how many of them are not in the partition of that user."""

    looked_at: int
    misplaced: int

    @property
    def objection(self) -> str | None:
        """Why rules with `tracked_only` must not be used; None if they may be, or the topic is empty."""
        if self.misplaced <= self.looked_at * MOST_FOREIGN:
            return None
        return (
            f"rules with `tracked_only` need a raw topic that is keyed by user, and {self.misplaced} of its latest "
            f"{self.looked_at} events are not in their user's partition: key it by external_id, else subscription_id, "
            f"or set {variable('partitioning')}=repartition; each raw partition then tracks its users "
            "separately"
        )


def judge(
    messages: Iterable[Message],
    partitions: int,
    decode: Callable[[bytes], Event | RejectReason],
    empty_ids: EmptyIds = EMPTY_IDS,
) -> Sample:
    """Count the events that are neither keyed by their user nor in the partition of Kafka's default partitioner.

    A message whose key is an empty id, such as ``null``, is ignored: its producer keys by user, and took a placeholder
    for an id.
    """
    looked_at = misplaced = 0
    for message in messages:
        if message.key and empty_ids.reason(message.key.decode(errors="replace")) is not None:
            continue
        event = None if message.value is None else decode(message.value)
        if not isinstance(event, Event):
            continue
        identity = identify(event, empty_ids)
        if identity.user_id is None and event.flaws is not None and event.flaws.unreadable:
            continue  # it becomes a dead letter
        key = user_key(identity)
        if key:
            looked_at += 1
            misplaced += message.key != key and partition_for(key, partitions) != message.partition
    return Sample(looked_at, misplaced)


def foreign_partitioning(messages: Iterable[Message], partitions: int) -> str | None:
    """Return why the partition of a user's events does not follow from the user's key; None if it does."""
    keyed = [(message.key, message.partition) for message in messages if message.key]
    misplaced = sum(partition_for(key, partitions) != partition for key, partition in keyed)
    if misplaced <= len(keyed) * MOST_FOREIGN:
        return None
    return (
        f"{misplaced} of the latest {len(keyed)} messages of the raw topic are not in the partition that Kafka's "
        "default partitioner (murmur2) gives their key, so it is not known where a user's events are. Let the producer "
        "use it (librdkafka: partitioner=murmur2_random), or import a file from `export`, which contains partitions. "
        "If partitions were added recently, wait for newer messages"
    )


async def latest(connection: ConnectionOptions, topic: str, partitions: int) -> Sequence[Message]:
    """Read the latest messages of a topic.

    Raises:
        KafkaUnreachableError: Kafka does not answer.
    """
    try:
        async with asyncio.timeout(SAMPLE_SECONDS), open_consumer(connection) as consumer:
            return await _latest(consumer, topic, partitions)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnreachableError(
            f"the keys of topic `{topic}` cannot be checked ({type(error).__name__}): is Kafka away?"
        ) from error


async def _latest(consumer: aiokafka.AIOKafkaConsumer, topic: str, partitions: int) -> list[Any]:
    sampled = [aiokafka.TopicPartition(topic, number) for number in range(min(partitions, SAMPLE_PARTITIONS))]
    starts, ends = await consumer.beginning_offsets(sampled), await consumer.end_offsets(sampled)
    wanted = {partition: max(starts[partition], ends[partition] - SAMPLE_MESSAGES) for partition in sampled}
    filled = [partition for partition in sampled if wanted[partition] < ends[partition]]
    consumer.assign(filled)
    for partition in filled:
        consumer.seek(partition, wanted[partition])
    found: list[Any] = []
    room = dict.fromkeys(filled, SAMPLE_BYTES)
    while left := [partition for partition in filled if await consumer.position(partition) < ends[partition]]:
        try:
            fetched = await consumer.getmany(*left, timeout_ms=POLL_MS)
        except UnreadableTopicError as error:
            logger.warning("the keys of a partition are not checked", reason=str(error))
            filled.remove(aiokafka.TopicPartition(*error.partition))
            continue
        for partition, records in fetched.items():
            for record in records:
                room[partition] -= len(record.key or b"") + len(record.value or b"")
                if room[partition] < 0:
                    filled.remove(partition)
                    break
                found.append(light_message(partition, record))
    return found
