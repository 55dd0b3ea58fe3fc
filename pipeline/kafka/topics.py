"""The pipeline's topics: describing and creating them, and finding what is wrong with those that exist."""

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
from pipeline.kafka.topic_settings import setting_faults, setting_warnings
from pipeline.kafka.topic_use import MILLISECONDS_PER_HOUR, TopicKind, topics_of
from pipeline.settings.choices import Partitioning
from pipeline.settings.mistakes import variable
from pipeline.settings.state_section import LONGEST_MONTH_HOURS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.topic_plans import TopicPlan
    from pipeline.kafka.topic_use import TopicUse, UsedTopic
    from pipeline.settings.sections import Settings

TIMEOUT_SECONDS: Final = 15.0
_LOOK_AGAIN_SECONDS: Final = 0.1
_REMEDIES: Final[Mapping[type[BrokerResponseError], str]] = {
    InvalidReplicationFactorError: f"lower {variable('topic_replication_factor')}, or add brokers",
    TopicAuthorizationFailedError: "let this user create topics, or have them created by someone who may",
    ClusterAuthorizationFailedError: "let this user create topics, or have them created by someone who may",
    PolicyViolationError: "comply with the cluster's policy, or have the topics created by someone who may",
}


class Creation(StrEnum):
    """Whether a topic was created."""

    CREATED = "created"
    EXISTED = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the cluster has it; `leaderless` are the partitions without a leader.

    `configuration` is empty where it was not requested, or the cluster does not report it. `replication_factor` is that
    of the partition with the fewest replicas; 0 where it is unknown.
    """

    partitions: int
    leaderless: tuple[int, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    replication_factor: int = 0


def find_faults(found: Mapping[str, FoundTopic], settings: Settings, uses: Collection[TopicUse]) -> tuple[str, ...]:
    """List everything about the topics in use that would lose, misplace or hold back messages."""
    faults = [
        *_missing_topics(found, topics_of(uses)),
        *(fault for use in uses for fault in _partition_faults(found, settings, use)),
        *(fault for use in uses for topic in use.state for fault in _state_faults(found, use.reads, topic)),
        *(fault.text for fault in setting_faults(found, topics_of(uses))),
    ]
    return (*dict.fromkeys(faults), *size_faults(configurations(found), uses))


def find_warnings(found: Mapping[str, FoundTopic], settings: Settings, uses: Collection[TopicUse]) -> tuple[str, ...]:
    """List what about the topics in use loses or holds back messages when something else goes wrong too."""
    topics = topics_of(uses)
    return (
        *size_warnings(configurations(found), settings, uses),
        *setting_warnings(found, topics),
        *_unknown_settings(found, [topic.name for topic in topics]),
    )


def _missing_topics(found: Mapping[str, FoundTopic], topics: Sequence[UsedTopic]) -> Iterator[str]:
    for topic in topics:
        there = found.get(topic.name)
        if there is None:
            yield (
                f"Topic `{topic.name}` does not exist, or this user may not see it: run `onesignal-pipeline topics "
                f"create`, or correct {variable(topic.setting)}."
            )
        elif there.leaderless:
            numbers = ", ".join(map(str, there.leaderless))
            yield f"Topic `{topic.name}` has no leader for partition {numbers}: check the brokers that store it."


def _partition_faults(found: Mapping[str, FoundTopic], settings: Settings, use: TopicUse) -> Iterator[str]:
    """Report partition counts that differ, where a record goes to the partition of its event."""
    if use.writes is None or settings.partitioning is not Partitioning.SAME:
        return
    source, target = found.get(use.reads.name), found.get(use.writes.name)
    if source is not None and target is not None and source.partitions != target.partitions:
        yield (
            f"Topic `{use.reads.name}` has {source.partitions} partitions and `{use.writes.name}` has "
            f"{target.partitions}: records keep their event's partition, so give both the same number, or set "
            f"{variable('partitioning')} to `repartition`."
        )


def _unknown_settings(found: Mapping[str, FoundTopic], names: Sequence[str]) -> Iterator[str]:
    """Warn once of the topics that could not be checked."""
    unknown = [f"`{name}`" for name in names if name in found and not found[name].configuration]
    if unknown:
        yield (
            f"The cluster does not report how {', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} configured, "
            "so settings that lose messages would not be noticed: allow this user the operation DescribeConfigs on "
            "them (the embedded broker does not support the request)."
        )


def _state_faults(found: Mapping[str, FoundTopic], raw: UsedTopic, topic: UsedTopic) -> Iterator[str]:
    """List what would give a partition a state other than that of its users."""
    there, source = found.get(topic.name), found.get(raw.name)
    if there is None:
        return
    is_catalogue = topic.kind is TopicKind.MESSAGE_CATALOGUE
    wanted = 1 if is_catalogue else None if source is None else source.partitions
    if wanted is not None and there.partitions != wanted:
        yield (
            f"Topic `{topic.name}` has {there.partitions} partitions and needs {wanted}"
            + ("." if wanted == 1 else f", as many as `{raw.name}`.")
            + f" Create one that has, and name it in {variable(topic.setting)}."
        )
    policy = there.configuration.get(CLEANUP_POLICY, "compact")
    if "compact" not in policy:
        yield (
            f"Topic `{topic.name}` is not compacted ({CLEANUP_POLICY}={policy}): the state would grow with every "
            "event, or be deleted within the month. Set it to `compact,delete`."
        )
    kept_ms = int(there.configuration.get(RETENTION, -1)) if "delete" in policy else -1
    raw_ms = raw.retention_ms if source is None else int(source.configuration.get(RETENTION, raw.retention_ms))
    if not is_catalogue and kept_ms >= 0 and (advice := _too_short(kept_ms, raw_ms)) is not None:
        yield (
            f"Topic `{topic.name}` is kept for {kept_ms} ms ({RETENTION}): users would be forgotten while raw events "
            f"of their month can still be read. {advice}."
        )


def _too_short(kept_ms: int, raw_ms: int) -> str | None:
    """Return what to do if users are forgotten before the raw events of their month; None if they are not."""
    if raw_ms < 0:
        return f"The raw topic is kept for ever: set {RETENTION} to -1 too"
    least_ms = LONGEST_MONTH_HOURS * MILLISECONDS_PER_HOUR + raw_ms
    return (
        f"Set it to {least_ms} or more: the longest month, and the raw topic's {raw_ms}" if kept_ms < least_ms else None
    )


def configurations(found: Mapping[str, FoundTopic]) -> dict[str, Mapping[str, str]]:
    """Return the configuration of each topic."""
    return {name: topic.configuration for name, topic in found.items()}


async def describe_topics(
    connection: ConnectionOptions, *, configured: Collection[str] = (), timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, FoundTopic]:
    """List the topics of a cluster that this user may see, with the configuration of some. Creates no topic.

    Raises:
        KafkaUnreachableError: when no broker can be reached.
    """
    async with admin_client(connection, timeout_seconds=timeout_seconds) as client:
        described: list[dict[str, Any]] = await client.describe_topics()
        there = [topic["topic"] for topic in described if topic["topic"] in configured]
        reported = await read_configuration(client, there) if there else {}
    return {topic["topic"]: _found(topic["partitions"], reported.get(topic["topic"], {})) for topic in described}


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
    uses: Collection[TopicUse],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, FoundTopic]:
    """Check that the topics in use are usable, and return what was found.

    Raises:
        TopicsError: with every fault at once.
        KafkaUnreachableError: when no broker can be reached.
    """
    names = [topic.name for topic in topics_of(uses)]
    found = await describe_topics(connection, configured=names, timeout_seconds=timeout_seconds)
    if faults := find_faults(found, settings, uses):
        raise TopicsError(faults)
    return found


async def create_topics(
    connection: ConnectionOptions, plans: Sequence[TopicPlan], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, Creation]:
    """Create the topics that are missing; existing topics stay unchanged.

    Returning means that every topic has been created; the brokers may need a moment more to serve it.

    Raises:
        TopicsError: with everything that the cluster refused.
        KafkaUnreachableError: when no broker can be reached.
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
    """Wait until every partition of new topics has a leader, or the time has passed; return what was found.

    Raises:
        KafkaUnreachableError: when no broker can be reached.
    """
    clock = asyncio.get_running_loop()
    deadline = clock.time() + timeout_seconds
    while True:
        found = await describe_topics(connection, configured=names, timeout_seconds=timeout_seconds)
        served = all(name in found and not found[name].leaderless for name in names)
        if served or clock.time() >= deadline:
            return found
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
