"""The Kafka that is measured on: topics that come and go with a run, and how far groups have come."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # OffsetSpec is public, and not in __all__
    AdminClient,
    OffsetSpec,
)
from confluent_kafka.cimpl import NewTopic

from tests.integration.clients import committed_offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTITIONS = 16
_ADMIN_SECONDS = 30
_AGAIN_SECONDS = 0.2


class Cluster:
    """A Kafka cluster by its address."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    @contextmanager
    def topic(self, name: str, *, configuration: Mapping[str, str] | None = None) -> Iterator[str]:
        """Make a topic of 16 partitions for the length of the block; what it held is deleted with it."""
        unique = f"bench.{name}.{uuid.uuid4().hex[:8]}"
        wanted = NewTopic(unique, num_partitions=PARTITIONS, replication_factor=1, config=dict(configuration or {}))
        for created in self._admin.create_topics([wanted], operation_timeout=_ADMIN_SECONDS).values():
            created.result(_ADMIN_SECONDS)
        try:
            yield unique
        finally:
            for deleted in self._admin.delete_topics([unique], operation_timeout=_ADMIN_SECONDS).values():
                deleted.result(_ADMIN_SECONDS)

    def written(self, topic: str) -> int:
        """Count what was ever written to a topic of the bench; one that was made just now may have no leaders yet."""
        deadline = time.monotonic() + _ADMIN_SECONDS
        while True:
            try:
                return self._ends(topic)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._NOENT or time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN_SECONDS)

    def _ends(self, topic: str) -> int:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] # the package types only what it calls itself
        places = {TopicPartition(topic, number): latest for number in range(PARTITIONS)}
        ends = self._admin.list_offsets(places, request_timeout=_ADMIN_SECONDS)
        return sum(end.result(_ADMIN_SECONDS).offset for end in ends.values())

    def committed(self, group: str, topic: str) -> int:
        """Count what a group has committed of a topic that was read from its beginning."""
        return sum(committed_offsets(self.bootstrap_servers, group, topic).values())
