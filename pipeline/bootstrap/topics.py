"""Look at a role's topics and group before it starts: can they be used, and where does the group begin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.conditions import Condition
from pipeline.kafka.connection import connection_options
from pipeline.kafka.groups import Source, begin_group
from pipeline.kafka.topic_configuration import RETENTION
from pipeline.kafka.topic_plans import plan_topics, topics_of
from pipeline.kafka.topic_settings import setting_faults
from pipeline.kafka.topics import check_topics, find_warnings
from pipeline.settings.choices import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.kafka.topics import FoundTopic
    from pipeline.settings.sections import Settings

logger = structlog.get_logger(__name__)


def check_all_topics(settings: Settings) -> None:
    """Check the topics of every role at once.

    Raises:
        TopicsError: the topics cannot be used as they are; every fault of every role is listed.
        KafkaUnreachableError: no broker can be spoken to.
    """
    asyncio.run(check_topics(connection_options(settings), settings, list(Role)))


async def begin(
    role: Role, settings: Settings, connection: ConnectionOptions, watch: TopicWatch
) -> dict[str, FoundTopic]:
    """Make sure that a role can start, begin its group, and tell the watch what it has to expect.

    Raises:
        TopicsError: the topics cannot be used as they are; every fault is listed.
        GroupOffsetsLostError: committed offsets of the group are missing.
        KafkaUnreachableError: Kafka does not answer.
    """
    found = await check_topics(connection, settings, [role])
    for warning in find_warnings(found, settings, [role]):
        logger.warning(warning)
    group, source = _source(role, settings, found)
    known = await begin_group(connection, group=group, source=source, start=settings.group_start)
    keyed = {Role.PROCESSOR: (settings.raw_topic, settings.records_topic), Role.SEGMENT_SINK: (settings.records_topic,)}
    names = [getattr(settings, field) for field in topics_of(role, settings)]
    topics = {name: found[name] for name in names}
    watch.expect(topics, keyed=keyed[role], read=source.topic, source=known)
    watch.settings.expect(
        topics, lambda now: setting_faults(now, settings, [role]), written=topics.keys() - {source.topic}
    )
    await watch.learn_time()
    return found


def retention_seconds(role: Role, settings: Settings, found: Mapping[str, FoundTopic]) -> float:
    """Say how long the topic that a role reads keeps a message; where the cluster does not tell, as it is wanted."""
    topics = {Role.PROCESSOR: settings.raw_topic, Role.SEGMENT_SINK: settings.records_topic}
    wanted = {plan.name: plan.configuration for plan in plan_topics(settings)}
    name = topics[role]
    milliseconds = int(found[name].configuration.get(RETENTION, wanted[name][RETENTION]))
    return float("inf") if milliseconds < 0 else milliseconds / 1000


def _source(role: Role, settings: Settings, found: Mapping[str, FoundTopic]) -> tuple[str, Source]:
    match role:
        case Role.PROCESSOR:
            return settings.processor_group, Source(
                topic=settings.raw_topic,
                partitions=found[settings.raw_topic].partitions,
                outcome=settings.records_topic,
                outcome_partitions=found[settings.records_topic].partitions,
            )
        case Role.SEGMENT_SINK:
            return settings.segment_sink_group, Source(
                topic=settings.records_topic, partitions=found[settings.records_topic].partitions
            )


def conditions(watch: TopicWatch) -> tuple[Condition, ...]:
    """Return the conditions under which a worker's batches may be decided."""
    return (
        Condition("a clock that is right", HoldReason.CLOCK, watch.clock.look),
        Condition("topics that keep messages", HoldReason.TOPIC_SETTINGS, lambda: watch.settings.hold_reason),
    )
