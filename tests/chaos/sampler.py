"""Observe Kafka from outside: first committed offsets, then everything that was stored up to that moment."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.core.classification import Destination
from pipeline.kafka import headers
from pipeline.settings.choices import Role
from tests.integration.clients import read_topic

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka import Message

    from tests.chaos.destinations import ChaosDestination
    from tests.chaos.ledger import Ledger

_REQUEST_SECONDS: Final = 5
_CATCH_UP_SECONDS: Final = 20
_READ_AT_ONCE: Final = 5_000
_LATEST_OFFSET_KEY: Final = 1  # keys of __consumer_offsets with version 0 or 1 are commits


class SampleError(Exception):
    """A sample could not be read from Kafka. This is expected while Kafka is down on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The topics and groups of a destination. All share the raw topic and the dead letters."""

    raw: str = "chaos.raw"
    records: str = "chaos.records"
    letters: str = "chaos.letters"
    tracked_users: str = "chaos.tracked-users"
    processor_group: str = "chaos-processor"
    sink_group: str = "chaos-sink"


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Fills the ledger of one destination from Kafka. Not thread-safe."""

    bootstrap_servers: str
    destination: ChaosDestination
    partitions: int
    ledger: Ledger
    lag: int = 0
    names: Names = field(init=False)
    _consumer: Consumer = field(init=False)
    _groups: dict[str, Consumer] = field(init=False)
    _read: dict[tuple[str, int], int] = field(init=False)

    def __post_init__(self) -> None:
        """Connect, and read everything from the start."""
        self.names = self.destination.names
        read = (self.names.records, self.names.letters)
        self._read = dict.fromkeys([(name, number) for name in read for number in range(self.partitions)], 0)
        self._connect()

    def _connect(self) -> None:
        groups = (self.names.processor_group, self.names.sink_group)
        self._groups = {
            group: asking_consumer(self.bootstrap_servers, group) for group in groups
        }  # they ask, and never join
        self._consumer = asking_consumer(self.bootstrap_servers, "chaos-sampler")
        self._consumer.assign([TopicPartition(*partition, offset) for partition, offset in self._read.items()])

    def close(self) -> None:
        """Disconnect."""
        for consumer in (self._consumer, *self._groups.values()):
            consumer.close()

    def sample(self) -> None:
        """Read committed offsets, then what is stored, then compare.

        Raises:
            KafkaException: Kafka does not answer.
            SampleError: what is stored could not be read to its end in time.
        """
        try:
            self._sample()
        except (KafkaException, SampleError):
            # A client that has seen topics without leaders, or Kafka without a broker, never refreshes them (librdkafka
            # 5430).
            self.close()
            self._connect()
            raise

    def _sample(self) -> None:
        processor = self._committed(self.names.processor_group, self.names.raw)
        sink = self._committed(self.names.sink_group, self.names.records)
        ends = self._ends()
        self._catch_up(ends)
        self.ledger.committed("processor", processor)
        self.ledger.committed("sink", sink)
        self.ledger.samples += 1
        self.lag = sum(
            ends[topic, number] - committed.get(number, 0)
            for topic, committed in ((self.names.raw, processor), (self.names.records, sink))
            for number in range(self.partitions)
        )

    def _committed(self, group: str, topic: str) -> dict[int, int]:
        return committed(self._groups[group], topic, self.partitions)

    def _ends(self) -> dict[tuple[str, int], int]:
        topics = (self.names.raw, self.names.records, self.names.letters)
        return {
            (topic, number): self._consumer.get_watermark_offsets(
                TopicPartition(topic, number), timeout=_REQUEST_SECONDS, cached=False
            )[1]
            for topic in topics
            for number in range(self.partitions)
        }

    def _catch_up(self, ends: dict[tuple[str, int], int]) -> None:
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while any(read < ends[partition] for partition, read in self._read.items()):
            if time.monotonic() > deadline:
                raise SampleError("the topics could not be read to their end")
            for message in self._consumer.consume(_READ_AT_ONCE, timeout=0.05):
                if message.error() is None:
                    self._take(message)

    def _take(self, message: Message) -> None:
        topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
        found = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
        source_partition, source_offset = int(found[headers.SOURCE_PARTITION]), int(found[headers.SOURCE_OFFSET])
        if topic == self.names.records:
            self.ledger.stored_record(partition, offset, source_partition, source_offset)
        else:
            named, stage, reason = (
                found[name].decode() for name in (headers.DESTINATION, headers.STAGE, headers.REASON)
            )
            if named not in set(Destination):
                self.ledger.wrong_source.append(f"a dead letter of the unknown destination {named}")
            elif named == self.destination.destination:
                if stage not in {Role.PROCESSOR, self.destination.sink}:
                    self.ledger.wrong_source.append(f"a dead letter of {named} names the stage {stage}")
                self.ledger.stored_letter(stage, reason, source_partition, source_offset)
        self._read[topic, partition] = offset + 1

    def read_commits(self) -> int:
        """Read each commit of its groups that Kafka ever stored, record those that go backward; return their number."""
        before: dict[tuple[str, str, int], int] = {}
        commits = 0
        for stored in read_topic(self.bootstrap_servers, "__consumer_offsets"):
            partition = commit_partition(stored.key)
            if partition is None or stored.value is None or partition[0] not in self._groups:
                continue
            commits += 1
            (offset,) = struct.unpack_from(">q", stored.value, 2)
            if offset < before.get(partition, 0):
                self.ledger.commits_backward.append(f"{partition}: from {before[partition]} to {offset}")
            before[partition] = offset
        return commits


def create_topics(bootstrap_servers: str, names: Collection[Names], partitions: int) -> None:
    """Create the topics of all destinations."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    plain = {name for each in names for name in (each.raw, each.records, each.letters)}
    compacted = {"cleanup.policy": "compact,delete", "retention.ms": "-1"}
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in sorted(plain)]
    topics += [
        NewTopic(each.tracked_users, num_partitions=partitions, replication_factor=1, config=compacted)
        for each in names
    ]
    for created in admin.create_topics(topics, operation_timeout=30).values():
        created.result(30)


def commit_partition(key: bytes | None) -> tuple[str, str, int] | None:
    """Return group, topic and partition of a commit (`OffsetCommitKey`); None for other messages."""
    if key is None or struct.unpack_from(">h", key)[0] > _LATEST_OFFSET_KEY:
        return None
    texts: list[str] = []
    position = 2
    for _ in range(2):
        (length,) = struct.unpack_from(">h", key, position)
        texts.append(key[position + 2 : position + 2 + length].decode())
        position += 2 + length
    (partition,) = struct.unpack_from(">i", key, position)
    return texts[0], texts[1], partition


def committed(asking: Consumer, topic: str, partitions: int) -> dict[int, int]:
    """Return the offsets that a consumer's group has committed; partitions without one are omitted."""
    wanted = [TopicPartition(topic, number) for number in range(partitions)]
    found = asking.committed(wanted, timeout=_REQUEST_SECONDS)
    return {partition.partition: partition.offset for partition in found if partition.offset >= 0}


def asking_consumer(bootstrap_servers: str, group: str) -> Consumer:
    """Return a consumer for reading, and for querying what a group has committed without joining it."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )
