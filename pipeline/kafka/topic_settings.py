"""Settings of topics that would break a guarantee: those that are refused, and those that get a warning.

docs/operate/topics.md, Topic settings, lists every setting and the reason for its treatment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.kafka.topic_configuration import (
    CLEANUP_POLICY,
    IN_SYNC,
    RETENTION,
    RETENTION_BYTES,
    TIMESTAMP_AFTER,
    TIMESTAMP_BEFORE,
    TIMESTAMP_DIFFERENCE,
    TIMESTAMP_TYPE,
    UNCLEAN_ELECTION,
)
from pipeline.kafka.topic_plans import BROKER_TIME, SAFE_REPLICATION
from pipeline.kafka.topic_use import TopicKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.kafka.topic_use import UsedTopic
    from pipeline.kafka.topics import FoundTopic

LEAST_RETENTION_MS: Final = 3_600_000
"""A topic that keeps messages for less than an hour loses some in any ordinary outage."""
_EARLIEST: Final = (TIMESTAMP_BEFORE, TIMESTAMP_DIFFERENCE)
_LATEST: Final = (TIMESTAMP_AFTER, TIMESTAMP_DIFFERENCE)
LEAST_TIMESTAMP_RANGE_MS: Final = 3_600_000


class TopicFault(NamedTuple):
    """What is wrong with a topic's settings; `text` names the topic and the remedy."""

    topic: str
    text: str


def setting_faults(found: Mapping[str, FoundTopic], topics: Iterable[UsedTopic]) -> tuple[TopicFault, ...]:
    """List the settings of topics with which messages are lost, or can never be written."""
    return tuple(
        TopicFault(name, text) for kind, name, topic in _found(found, topics) for text in _faults(kind, name, topic)
    )


def setting_warnings(found: Mapping[str, FoundTopic], topics: Iterable[UsedTopic]) -> Iterator[str]:
    """List the settings of topics with which messages are lost, or refused, when something else goes wrong too."""
    for kind, name, topic in _found(found, topics):
        yield from _replication_warnings(name, topic)
        yield from _retention_warnings(kind, name, topic.configuration)
        yield from _timestamp_warnings(kind, name, topic.configuration)


def alter(topic: str, name: str, value: str) -> str:
    """Return the command that changes a topic's setting."""
    return (
        f"`kafka-configs --bootstrap-server … --alter --entity-type topics --entity-name {topic} "
        f"--add-config {name}={value}`"
    )


def _found(found: Mapping[str, FoundTopic], topics: Iterable[UsedTopic]) -> Iterator[tuple[TopicKind, str, FoundTopic]]:
    for topic in topics:
        if (there := found.get(topic.name)) is not None:
            yield topic.kind, topic.name, there


def _faults(kind: TopicKind, name: str, topic: FoundTopic) -> Iterator[str]:
    configuration = topic.configuration
    policy = configuration.get(CLEANUP_POLICY, "delete")
    if kind.holds_messages and "compact" in policy:
        yield (
            f"Topic `{name}` is compacted ({CLEANUP_POLICY}={policy}): Kafka deletes all but the latest message of "
            f"each key, read or not, and refuses messages without a key. Set it to `delete`: "
            f"{alter(name, CLEANUP_POLICY, 'delete')}."
        )
    in_sync = int(configuration.get(IN_SYNC, 1))
    if not kind.is_written_by_others and 0 < topic.replication_factor < in_sync:
        yield (
            f"Topic `{name}` has {topic.replication_factor} replicas and requires {in_sync} of them for every write "
            f"({IN_SYNC}): nothing can be written to it. Lower that: "
            f"{alter(name, IN_SYNC, str(max(1, topic.replication_factor - 1)))}."
        )


def _replication_warnings(name: str, topic: FoundTopic) -> Iterator[str]:
    replicas, configuration = topic.replication_factor, topic.configuration
    in_sync = int(configuration.get(IN_SYNC, 2))
    if replicas > 1 and in_sync == 1:
        yield (
            f"Topic `{name}` has {replicas} replicas, and one of them is enough to confirm a write ({IN_SYNC}=1): what "
            f"only one broker confirmed is lost with that broker. Set it to 2: {alter(name, IN_SYNC, '2')}."
        )
    if replicas >= SAFE_REPLICATION and in_sync == replicas:
        yield (
            f"Topic `{name}` has {replicas} replicas and requires all of them for every write ({IN_SYNC}={in_sync}): "
            f"while one broker is down nothing is written. Lower it: {alter(name, IN_SYNC, str(replicas - 1))}."
        )
    if replicas > 1 and configuration.get(UNCLEAN_ELECTION) == "true":
        yield (
            f"Topic `{name}` may elect a leader that lacks confirmed messages ({UNCLEAN_ELECTION}=true), which are "
            f"then lost. Set it to false: {alter(name, UNCLEAN_ELECTION, 'false')}."
        )


def _retention_warnings(kind: TopicKind, name: str, configuration: Mapping[str, str]) -> Iterator[str]:
    kept_ms, size = int(configuration.get(RETENTION, -1)), int(configuration.get(RETENTION_BYTES, -1))
    if kind.holds_messages and 0 <= kept_ms < LEAST_RETENTION_MS:
        yield (
            f"Topic `{name}` keeps messages for only {kept_ms} ms ({RETENTION}): those that are not read in time are "
            f"lost. Keep them for longer than the longest outage: {alter(name, RETENTION, '604800000')}."
        )
    if size >= 0:
        yield (
            f"Topic `{name}` keeps at most {size} bytes of a partition ({RETENTION_BYTES}): in an outage the oldest "
            f"messages are deleted before their time. Set it to -1: {alter(name, RETENTION_BYTES, '-1')}."
        )


def _timestamp_warnings(kind: TopicKind, name: str, configuration: Mapping[str, str]) -> Iterator[str]:
    source = configuration.get(TIMESTAMP_TYPE)
    if kind is TopicKind.TRACKED_USERS_FEED and source == BROKER_TIME:
        yield (
            f"Topic `{name}` gets its timestamps from the brokers ({TIMESTAMP_TYPE}={source}): a user who is written "
            f"with an earlier time is counted in the month of writing. Set it to CreateTime: "
            f"{alter(name, TIMESTAMP_TYPE, 'CreateTime')}."
        )
    if kind.is_written_by_others or source in {None, BROKER_TIME}:
        return
    yield (
        f"Topic `{name}` gets its timestamps from the worker that writes ({TIMESTAMP_TYPE}={source}): with a wrong "
        "clock its messages are refused, or deleted before their time. Let the brokers set them: "
        f"{alter(name, TIMESTAMP_TYPE, BROKER_TIME)}."
    )
    for limits in (_EARLIEST, _LATEST):
        limit = next((each for each in limits if each in configuration), None)
        if limit is not None and int(configuration[limit]) < LEAST_TIMESTAMP_RANGE_MS:
            yield (
                f"Topic `{name}` refuses messages whose time is {configuration[limit]} ms off ({limit}): a small "
                "difference between two clocks is enough. Raise it: "
                f"{alter(name, limit, str(LEAST_TIMESTAMP_RANGE_MS))}."
            )
