"""Start a role: check its topics, begin its group, and tell the watch what to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.conditions import Condition
from pipeline.kafka.groups import Source, begin_group
from pipeline.kafka.topic_configuration import RETENTION
from pipeline.kafka.topic_settings import setting_faults
from pipeline.kafka.topics import check_topics, find_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.bootstrap.role_parts import RoleInputs
    from pipeline.kafka.topic_use import TopicUse, UsedTopic
    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.kafka.topics import FoundTopic

logger = structlog.get_logger(__name__)


async def begin(inputs: RoleInputs) -> dict[str, FoundTopic]:
    """Check that a role can start, begin its group, and return the topics that were found.

    Raises:
        TopicsError: the topics cannot be used as they are; every fault is listed.
        GroupOffsetsLostError: committed offsets of the group are missing.
        KafkaUnreachableError: Kafka does not answer.
    """
    settings, use, watch = inputs.settings, inputs.topics, inputs.watch
    found = await check_topics(inputs.connection, settings, [use])
    for warning in find_warnings(found, settings, [use]):
        logger.warning(warning)
    source = _source(use, found)
    known = await begin_group(inputs.connection, group=inputs.group, source=source, start=settings.group_start)
    topics = {topic.name: found[topic.name] for topic in use.topics}
    watch.expect(topics, keyed=inputs.keyed, read=source.topic, source=known)
    watch.settings.expect(topics, lambda now: setting_faults(now, use.topics), written=topics.keys() - {use.reads.name})
    await watch.learn_time()
    inputs.stream_metrics.retention(retention_seconds(use.reads, found))
    return found


def retention_seconds(topic: UsedTopic, found: Mapping[str, FoundTopic]) -> float:
    """Return how long a topic keeps a message: as the cluster reports it, else as the settings want it."""
    milliseconds = int(found[topic.name].configuration.get(RETENTION, topic.retention_ms))
    return float("inf") if milliseconds < 0 else milliseconds / 1000


def _source(use: TopicUse, found: Mapping[str, FoundTopic]) -> Source:
    outcome = use.writes
    return Source(
        topic=use.reads.name,
        partitions=found[use.reads.name].partitions,
        outcome=None if outcome is None else outcome.name,
        outcome_partitions=0 if outcome is None else found[outcome.name].partitions,
    )


def conditions(watch: TopicWatch) -> tuple[Condition, ...]:
    """Return the conditions under which a worker's batches may be decided."""
    return (
        Condition("a correct clock", HoldReason.CLOCK, watch.clock.look),
        Condition("topics that keep messages", HoldReason.TOPIC_SETTINGS, lambda: watch.settings.hold_reason),
    )
