"""The pipeline's topics: what they should be like, making them, and what is wrong with those that are there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import NewTopic
from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from pipeline.kafka.admin import admin_client
from pipeline.kafka.errors import TopicsError
from pipeline.kafka.topic_configuration import (
    CLEANUP_POLICY,
    RETENTION,
    read_configuration,
    size_faults,
    size_warnings,
)
from pipeline.kafka.topic_plans import MILLISECONDS_PER_HOUR, topics_of_roles
from pipeline.kafka.topic_settings import setting_faults, setting_warnings
from pipeline.settings.checks import memory_topics
from pipeline.settings.choices import Partitioning, Role
from pipeline.settings.memory_section import LONGEST_MONTH_HOURS
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.topic_plans import TopicPlan
    from pipeline.settings.sections import Settings

TIMEOUT_SECONDS: Final = 15.0
_LOOK_AGAIN_SECONDS: Final = 0.1
_REMEDIES: Final[Mapping[type[BrokerResponseError], str]] = {
    InvalidReplicationFactorError: f"lower {variable('topic_replication_factor')}, or add brokers",
    TopicAuthorizationFailedError: "let this user create topics, or have them created by somebody who may",
    ClusterAuthorizationFailedError: "let this user create topics, or have them created by somebody who may",
    PolicyViolationError: "meet the cluster's policy, or have the topics created by somebody who may",
}


class Creation(StrEnum):
    """What came of a topic that should be there."""

    CREATED = "created"
    EXISTED = "was there"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the cluster has it; `leaderless` are the partitions that nobody serves.

    `configuration` is empty where it was not asked for, or the cluster does not tell it. `replication_factor` is that
    of the partition with the fewest replicas; 0 where it is not known.
    """

    partitions: int
    leaderless: tuple[int, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    replication_factor: int = 0


def find_faults(found: Mapping[str, FoundTopic], settings: Settings, roles: Collection[Role]) -> tuple[str, ...]:
    """List everything about the topics of these roles that would lose, misplace or hold back messages."""
    faults = []
    for setting in topics_of_roles(roles, settings):
        name = getattr(settings, setting)
        topic = found.get(name)
        if topic is None:
            faults.append(
                f"Topic `{name}` does not exist, or this user may not see it: run `onesignal-pipeline topics create`, "
                f"or correct {variable(setting)}."
            )
        elif topic.leaderless:
            numbers = ", ".join(map(str, topic.leaderless))
            faults.append(f"Topic `{name}` has no leader for partition {numbers}: see to the brokers that keep it.")
    raw, records = found.get(settings.raw_topic), found.get(settings.records_topic)
    same = Role.PROCESSOR in roles and settings.partitioning is Partitioning.SAME
    if same and raw is not None and records is not None and raw.partitions != records.partitions:
        faults.append(
            f"Topic `{settings.raw_topic}` has {raw.partitions} partitions and `{settings.records_topic}` has "
            f"{records.partitions}: records keep their event's partition, so give both the same number, or set "
            f"{variable('partitioning')} to `repartition`."
        )
    faults += _memory_faults(found, settings) if Role.PROCESSOR in roles else ()
    faults += [fault.text for fault in setting_faults(found, settings, roles)]
    return (*faults, *size_faults(configurations(found), settings, roles))


def find_warnings(found: Mapping[str, FoundTopic], settings: Settings, roles: Collection[Role]) -> tuple[str, ...]:
    """List what about the topics of these roles loses or holds back messages when something else goes wrong too."""
    return (
        *size_warnings(configurations(found), settings, roles),
        *setting_warnings(found, settings, roles),
        *_unknown_settings(found, settings, roles),
    )


def _unknown_settings(found: Mapping[str, FoundTopic], settings: Settings, roles: Collection[Role]) -> Iterator[str]:
    """Warn once of the topics that could not be checked."""
    names = [getattr(settings, setting) for setting in topics_of_roles(roles, settings)]
    unknown = [f"`{name}`" for name in names if name in found and not found[name].configuration]
    if unknown:
        yield (
            f"The cluster does not tell how {', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} configured, so "
            "settings that lose messages would not be noticed: allow this user the operation DescribeConfigs on them "
            "(the embedded broker does not know the question)."
        )


def _memory_faults(found: Mapping[str, FoundTopic], settings: Settings) -> Iterator[str]:
    """List what would make a partition's memory another one than that of its users."""
    raw = found.get(settings.raw_topic)
    told = raw.configuration.get(RETENTION) if raw is not None else None
    raw_ms = int(told) if told is not None else settings.raw_topic_retention_hours * MILLISECONDS_PER_HOUR
    for setting in memory_topics(settings):
        topic = found.get(name := getattr(settings, setting))
        wanted = 1 if setting == "message_catalogue_topic" else raw.partitions if raw is not None else None
        if topic is not None and wanted is not None and topic.partitions != wanted:
            yield (
                f"Topic `{name}` has {topic.partitions} partitions and needs {wanted}"
                + ("." if wanted == 1 else f", as many as `{settings.raw_topic}`.")
                + f" Create one that has, and name it in {variable(setting)}."
            )
        configuration = topic.configuration if topic is not None else {}
        policy = configuration.get(CLEANUP_POLICY, "compact")
        if "compact" not in policy:
            yield (
                f"Topic `{name}` is not compacted ({CLEANUP_POLICY}={policy}): what is remembered would grow with "
                "every event, or be forgotten within the month. Set it to `compact,delete`."
            )
        kept_ms = int(configuration.get(RETENTION, -1)) if "delete" in policy else -1
        if (
            setting != "message_catalogue_topic"
            and kept_ms >= 0
            and (advice := _too_short(kept_ms, raw_ms)) is not None
        ):
            yield (
                f"Topic `{name}` is kept for {kept_ms} ms ({RETENTION}): users would be forgotten while raw events of "
                f"their month can still be read. {advice}."
            )


def _too_short(kept_ms: int, raw_ms: int) -> str | None:
    """Return what to do where users are forgotten before the raw events of their month are; None where they are not."""
    if raw_ms < 0:
        return f"The raw topic is kept for ever: set {RETENTION} to -1 too"
    least_ms = LONGEST_MONTH_HOURS * MILLISECONDS_PER_HOUR + raw_ms
    return (
        f"Set it to {least_ms} or more: the longest month, and the raw topic's {raw_ms}" if kept_ms < least_ms else None
    )


def configurations(found: Mapping[str, FoundTopic]) -> dict[str, Mapping[str, str]]:
    """Give what is configured for each topic."""
    return {name: topic.configuration for name, topic in found.items()}


async def describe_topics(
    connection: ConnectionOptions, *, configured: Collection[str] = (), timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, FoundTopic]:
    """List the topics of a cluster that this user may see, with the configuration of some. Asking creates none.

    Raises:
        KafkaUnreachableError: when no broker can be spoken to.
    """
    async with admin_client(connection, timeout_seconds=timeout_seconds) as client:
        described: list[dict[str, Any]] = await client.describe_topics()
        there = [topic["topic"] for topic in described if topic["topic"] in configured]
        told = await read_configuration(client, there) if there else {}
    return {topic["topic"]: _found(topic["partitions"], told.get(topic["topic"], {})) for topic in described}


def _found(partitions: Sequence[Mapping[str, Any]], configuration: Mapping[str, str]) -> FoundTopic:
    leaderless = sorted(partition["partition"] for partition in partitions if partition["leader"] < 0)
    return FoundTopic(
        partitions=len(partitions),
        leaderless=tuple(leaderless),
        configuration=configuration,
        replication_factor=min((len(partition["replicas"]) for partition in partitions), default=0),
    )


async def check_topics(
    connection: ConnectionOptions,
    settings: Settings,
    roles: Collection[Role],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, FoundTopic]:
    """Make sure that the topics of these roles can be used, and return what was found.

    Raises:
        TopicsError: with every fault at once.
        KafkaUnreachableError: when no broker can be spoken to.
    """
    names = [getattr(settings, setting) for setting in topics_of_roles(roles, settings)]
    found = await describe_topics(connection, configured=names, timeout_seconds=timeout_seconds)
    if faults := find_faults(found, settings, roles):
        raise TopicsError(faults)
    return found


async def create_topics(
    connection: ConnectionOptions, plans: Sequence[TopicPlan], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, Creation]:
    """Create the topics that are missing; those that are there stay as they are.

    Returning means that every topic has been created; the brokers may need a moment more to serve it.

    Raises:
        TopicsError: with everything that the cluster refused.
        KafkaUnreachableError: when no broker can be spoken to.
    """
    async with admin_client(connection, timeout_seconds=timeout_seconds) as client:
        cluster = await client.describe_cluster()
        if cluster["controller_id"] not in {broker["node_id"] for broker in cluster["brokers"]}:
            raise TopicsError(
                ["This cluster has no controller, so it cannot create topics (the embedded broker is one)."]
            )
        answer = await client.create_topics(
            [
                NewTopic(plan.name, plan.partitions, plan.replication_factor, topic_configs=dict(plan.configuration))
                for plan in plans
            ]
        )
    outcomes: dict[str, Creation] = {}
    faults = []
    for name, code, message in answer.topic_errors:
        error = for_code(code)
        if error is NoError:
            outcomes[name] = Creation.CREATED
        elif error is TopicAlreadyExistsError:
            outcomes[name] = Creation.EXISTED
        else:
            remedy = _REMEDIES.get(error, "see the brokers' logs")
            faults.append(f"Topic `{name}` was not created: {(message or error.description).rstrip('.')}: {remedy}.")
    if faults:
        raise TopicsError(faults)
    return outcomes


async def await_topics(
    connection: ConnectionOptions, names: Collection[str], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, FoundTopic]:
    """Wait until the brokers serve every partition of new topics, or the time has passed; return what is there.

    Raises:
        KafkaUnreachableError: when no broker can be spoken to.
    """
    clock = asyncio.get_running_loop()
    deadline = clock.time() + timeout_seconds
    while True:
        found = await describe_topics(connection, configured=names, timeout_seconds=timeout_seconds)
        served = all(name in found and not found[name].leaderless for name in names)
        if served or clock.time() >= deadline:
            return found
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
