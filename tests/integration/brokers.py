"""One interface for the two brokers of the integration suite, and the differences between them."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.local.broker import EmbeddedBroker
    from tests.kafka_server import KafkaServer

_ADMIN_SECONDS = 30
REMEMBERED: Final[Mapping[str, str]] = {"cleanup_policy": "compact,delete", "retention_ms": str(936 * 3_600_000)}
"""The configuration of a topic that stores tracked users for a month."""


class BrokerKind(StrEnum):
    """A broker that the suite runs on."""

    EMBEDDED = "embedded"
    REAL = "real"


class Capability(StrEnum):
    """A feature that only one of the brokers has; a test that needs one has the corresponding marker."""

    CREATE_TOPICS = auto()
    TOPIC_CONFIGURATION = auto()
    COMMIT_WHILE_JOINING = auto()
    SEVERAL_MEMBERS = auto()
    COMPACTION = auto()
    TRANSACTIONS = auto()
    INJECTED_FAULTS = auto()
    OUTAGE = auto()


REAL_CAPABILITIES = frozenset(Capability) - {Capability.INJECTED_FAULTS}
EMBEDDED_CAPABILITIES = frozenset({Capability.INJECTED_FAULTS, Capability.OUTAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker that answers at ``bootstrap_servers``.

    ``embedded`` is the embedded broker itself, for fault injection; ``server`` is the Kafka that the suite has started.
    Both are None for an existing cluster (``KAFKA_BOOTSTRAP_SERVERS``).
    """

    kind: BrokerKind
    bootstrap_servers: str
    embedded: EmbeddedBroker | None = None
    server: KafkaServer | None = None
    replication_factor: int = 1
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The features of this broker beyond producing, consuming, groups and idempotence."""
        if self.embedded is not None:
            return EMBEDDED_CAPABILITIES
        return REAL_CAPABILITIES if self.server is not None else REAL_CAPABILITIES - {Capability.OUTAGE}

    def unique(self, name: str) -> str:
        """Return a topic, group or transaction name that no other test uses."""
        return f"{name}.{self.run}.{uuid.uuid4().hex[:6]}"

    def create_topic(self, name: str, partitions: int = 1, **configuration: str | float) -> str:
        """Create a topic under a unique name and return that name.

        ``configuration`` are topic settings with ``_`` for ``.``; the embedded broker has none and ignores them.
        """
        unique = self.unique(name)
        self.create_topic_named(unique, partitions, **configuration)
        return unique

    def create_topic_named(self, name: str, partitions: int = 1, **configuration: str | float) -> None:
        """Create a topic under exactly this name."""
        if self.embedded is not None:
            self.embedded.create_topic(name, partitions)
            return
        settings = {key.replace("_", "."): str(value) for key, value in configuration.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=self.replication_factor, config=settings)
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        for created in admin.create_topics([topic], operation_timeout=_ADMIN_SECONDS).values():
            created.result(_ADMIN_SECONDS)

    def delete_records(self, topic: str, partition: int, *, before_offset: int) -> None:
        """Delete the oldest messages of a partition, as retention does."""
        if self.embedded is not None:
            self.embedded.delete_records(topic, partition, before_offset=before_offset)
            return
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        for deleted in admin.delete_records([TopicPartition(topic, partition, before_offset)]).values():
            deleted.result(_ADMIN_SECONDS)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Make the broker unreachable until the block ends; stored messages are kept.

        The embedded broker refuses connections; the real one does not answer (its process is stopped with SIGSTOP).
        """
        if self.embedded is not None:
            self.embedded.go_down()
        elif self.server is not None:
            self.server.freeze()
        try:
            yield
        finally:
            if self.embedded is not None:
                self.embedded.come_up()
            elif self.server is not None:
                self.server.thaw()
