"""What the pipeline's topics should be like."""

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
from pipeline.settings.checks import memory_topics
from pipeline.settings.choices import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.settings.sections import Settings

MILLISECONDS_PER_HOUR: Final = 3_600_000
_FOR_EVER: Final = -1
DEAD_LETTER_MAX_BYTES: Final = 2 * 1_048_588
"""A dead letter is the rejected message and its headers: what a raw topic takes by default, and room to spare."""
_HOURS_PER_DAY: Final = 24
BROKER_TIME: Final = "LogAppendTime"
"""The broker gives a message its time when it stores it: a wrong clock of a worker cannot age it or have it refused."""
SAFE_REPLICATION: Final = 3
"""With so many replicas a write can wait for a second one, and still go on while one broker is away."""
_DELETED: Final = {CLEANUP_POLICY: "delete"}
_COMPACTED: Final = {CLEANUP_POLICY: "compact,delete"}
"""The latest entry of each key is kept, but no longer than the retention."""
_STORED: Final = {TIMESTAMP_TYPE: BROKER_TIME}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """A topic as the settings want it; `configuration` in Kafka's own names."""

    name: str
    partitions: int
    replication_factor: int
    configuration: Mapping[str, str]


def topics_of(role: Role, settings: Settings) -> tuple[str, ...]:
    """List the settings of the topics that a role uses."""
    match role:
        case Role.PROCESSOR:
            return ("raw_topic", "records_topic", "dead_letter_topic", *memory_topics(settings))
        case Role.SEGMENT_SINK:
            return ("records_topic", "dead_letter_topic")


def topics_of_roles(roles: Collection[Role], settings: Settings) -> tuple[str, ...]:
    """List the settings of the topics that roles use, each once."""
    return tuple(dict.fromkeys(field for role in Role if role in roles for field in topics_of(role, settings)))


def plan_topics(settings: Settings, *, raw_partitions: int | None = None) -> tuple[TopicPlan, ...]:
    """Say how the pipeline's topics should be made, beside a raw topic that has so many partitions already."""
    partitions = settings.topic_partitions
    users_partitions = partitions if raw_partitions is None else raw_partitions
    dead_letter_partitions = settings.dead_letter_topic_partitions or partitions
    larger = {MAX_MESSAGE_BYTES: str(DEAD_LETTER_MAX_BYTES)}
    wanted: dict[str, tuple[int, int, Mapping[str, str]]] = {
        "raw_topic": (partitions, settings.raw_topic_retention_hours, _DELETED),
        "records_topic": (partitions, settings.records_topic_retention_hours, {**_DELETED, **_STORED}),
        "dead_letter_topic": (
            dead_letter_partitions,
            settings.dead_letter_topic_retention_hours,
            {**_DELETED, **_STORED, **larger},
        ),
        "tracked_users_topic": (
            users_partitions,
            settings.tracked_users_topic_retention_hours,
            {**_COMPACTED, **_STORED},
        ),
        "tracked_users_feed_topic": (users_partitions, settings.tracked_users_topic_retention_hours, _COMPACTED),
        "message_catalogue_topic": (1, settings.message_catalogue_days * _HOURS_PER_DAY, {**_COMPACTED, **_STORED}),
    }
    return tuple(
        TopicPlan(
            name=getattr(settings, field),
            partitions=count,
            replication_factor=settings.topic_replication_factor,
            configuration={
                COMPRESSION: settings.topic_compression.value,
                RETENTION: str(kept if kept == _FOR_EVER else kept * MILLISECONDS_PER_HOUR),
                **({IN_SYNC: "2"} if settings.topic_replication_factor >= SAFE_REPLICATION else {}),
                **more,
            },
        )
        for field in topics_of(Role.PROCESSOR, settings)
        for count, kept, more in [wanted[field]]
    )
