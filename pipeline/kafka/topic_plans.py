"""How the pipeline's topics should be created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.kafka.topic_configuration import (
    CLEANUP_POLICY,
    COMPRESSION,
    IN_SYNC,
    MAX_MESSAGE_BYTES,
    RETENTION,
    TIMESTAMP_TYPE,
)
from pipeline.kafka.topic_use import TopicKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.kafka.topic_use import UsedTopic
    from pipeline.settings.sections import Settings

DEAD_LETTER_MAX_BYTES: Final = 2 * 1_048_588
"""Bound of a dead letter, which is the rejected message and its headers: twice what a raw topic accepts by default."""
BROKER_TIME: Final = "LogAppendTime"
"""The broker sets a message's timestamp, so a worker's wrong clock cannot expire the message or have it refused."""
SAFE_REPLICATION: Final = 3
"""With this many replicas a write can wait for a second one and still succeed while one broker is down."""
_DELETED: Final = {CLEANUP_POLICY: "delete"}
_COMPACTED: Final = {CLEANUP_POLICY: "compact,delete"}
"""The latest message of each key is kept, but no longer than the retention."""
_STORED: Final = {TIMESTAMP_TYPE: BROKER_TIME}
_CONFIGURATION: Final[Mapping[TopicKind, Mapping[str, str]]] = {
    TopicKind.RAW_EVENTS: _DELETED,
    TopicKind.RECORDS: {**_DELETED, **_STORED},
    TopicKind.DEAD_LETTERS: {**_DELETED, **_STORED, MAX_MESSAGE_BYTES: str(DEAD_LETTER_MAX_BYTES)},
    TopicKind.TRACKED_USERS: {**_COMPACTED, **_STORED},
    TopicKind.TRACKED_USERS_FEED: _COMPACTED,
    TopicKind.MESSAGE_CATALOGUE: {**_COMPACTED, **_STORED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """A topic as the settings want it; `configuration` in Kafka's own names."""

    name: str
    partitions: int
    replication_factor: int
    configuration: Mapping[str, str]


def plan_topics(
    settings: Settings, topics: Iterable[UsedTopic], *, raw_partitions: int | None = None
) -> tuple[TopicPlan, ...]:
    """Return how topics should be created; `raw_partitions` is the partition count of an existing raw topic."""
    usual = settings.topic_partitions
    users = usual if raw_partitions is None else raw_partitions
    partitions = {
        TopicKind.RAW_EVENTS: usual,
        TopicKind.RECORDS: usual,
        TopicKind.DEAD_LETTERS: settings.dead_letter_topic_partitions or usual,
        TopicKind.TRACKED_USERS: users,
        TopicKind.TRACKED_USERS_FEED: users,
        TopicKind.MESSAGE_CATALOGUE: 1,
    }
    in_sync = {IN_SYNC: "2"} if settings.topic_replication_factor >= SAFE_REPLICATION else {}
    return tuple(
        TopicPlan(
            name=topic.name,
            partitions=partitions[topic.kind],
            replication_factor=settings.topic_replication_factor,
            configuration={
                COMPRESSION: settings.topic_compression.value,
                RETENTION: str(topic.retention_ms),
                **in_sync,
                **_CONFIGURATION[topic.kind],
            },
        )
        for topic in topics
    )
