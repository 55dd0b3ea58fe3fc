"""The Kafka of the measurements: topics that exist for one run, and the committed offsets of groups."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.integration.clients import committed_offsets, watermarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTITIONS = 16
_ADMIN_SECONDS = 30


class Cluster:
    """A Kafka cluster by its address."""

    def __init__(self, bootstrap_servers: str, *, broker_process_id: int | None = None) -> None:
        """Store the address; `broker_process_id` is the process of its only broker, if it runs on this machine."""
        self.broker_process_id = broker_process_id
        self.bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    @contextmanager
    def topic(
        self, name: str, *, partitions: int = PARTITIONS, configuration: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """Create a topic for the duration of the block, then delete it."""
        unique = f"bench.{name}.{uuid.uuid4().hex[:8]}"
        wanted = NewTopic(unique, num_partitions=partitions, replication_factor=1, config=dict(configuration or {}))
        for created in self._admin.create_topics([wanted], operation_timeout=_ADMIN_SECONDS).values():
            created.result(_ADMIN_SECONDS)
        try:
            yield unique
        finally:
            for deleted in self._admin.delete_topics([unique], operation_timeout=_ADMIN_SECONDS).values():
                deleted.result(_ADMIN_SECONDS)

    def written(self, topic: str) -> int:
        """Return how many messages were ever written to a topic of the benchmark.

        Not with `list_offsets`: an admin client that has seen a topic without leaders never looks for them again.
        """
        return sum(end for _, end in watermarks(self.bootstrap_servers, topic).values())

    def committed(self, group: str, topic: str) -> int:
        """Return how many messages of a topic, which was read from its beginning, a group has committed."""
        return sum(committed_offsets(self.bootstrap_servers, group, topic).values())
