"""The configuration of topics in the cluster: reads it, and finds what differs from the settings or is too small."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest

from pipeline.kafka.letter_headers import MAX_HEADER_BYTES
from pipeline.kafka.topic_use import TopicKind
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from pipeline.kafka.topic_use import TopicUse
    from pipeline.settings.sections import Settings

    Configurations = Mapping[str, Mapping[str, str]]

CLEANUP_POLICY: Final = "cleanup.policy"
COMPRESSION: Final = "compression.type"
MAX_MESSAGE_BYTES: Final = "max.message.bytes"
TIMESTAMP_AFTER: Final = "message.timestamp.after.max.ms"
TIMESTAMP_BEFORE: Final = "message.timestamp.before.max.ms"
TIMESTAMP_DIFFERENCE: Final = "message.timestamp.difference.max.ms"
TIMESTAMP_TYPE: Final = "message.timestamp.type"
IN_SYNC: Final = "min.insync.replicas"
RETENTION_BYTES: Final = "retention.bytes"
RETENTION: Final = "retention.ms"
UNCLEAN_ELECTION: Final = "unclean.leader.election.enable"
DEFAULT_MESSAGE_BYTES: Final = 1_048_588
"""Kafka's default for the largest batch of a topic."""
_REQUESTED: Final = (
    CLEANUP_POLICY,
    COMPRESSION,
    MAX_MESSAGE_BYTES,
    TIMESTAMP_AFTER,
    TIMESTAMP_BEFORE,
    TIMESTAMP_DIFFERENCE,
    TIMESTAMP_TYPE,
    IN_SYNC,
    RETENTION_BYTES,
    RETENTION,
    UNCLEAN_ELECTION,
)
"""A broker omits those that its version does not know."""
_WORDS: Final = frozenset({CLEANUP_POLICY, COMPRESSION, TIMESTAMP_TYPE, UNCLEAN_ELECTION})
"""The others are whole numbers."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)


async def read_configuration(client: AIOKafkaAdminClient, topics: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the configuration of topics, without those for which the cluster does not report it."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_REQUESTED)) for name in topics]
    try:
        answers = await client.describe_configs(wanted)
    except (KafkaError, TimeoutError):
        return {}  # the embedded broker does not support the request, and this user may not be allowed to make it
    return {name: each for answer in answers for name, each in configured(answer).items()}


def configuration_request(topics: Collection[str]) -> DescribeConfigsRequest:
    """Return a DescribeConfigs request for topics, for a client other than the admin client."""
    return DescribeConfigsRequest([(ConfigResourceType.TOPIC, name, list(_REQUESTED)) for name in topics])


def configured(answer: Any) -> dict[str, dict[str, str]]:
    """Return the configuration of each topic in an answer. Malformed numbers, from servers like Kafka, are ignored."""
    return {
        name: {setting: value for setting, value, *_ in settings if _is_usable(setting, value)}
        for code, _, _, name, settings in answer.resources
        if not code
    }


def _is_usable(setting: str, value: str | None) -> bool:
    return value is not None and (setting in _WORDS or _NUMBER.fullmatch(value) is not None)


def differences(wanted: Mapping[str, str], there: Mapping[str, str]) -> tuple[str, ...]:
    """List how a topic's configuration differs from the wanted one; a larger size limit is no difference."""
    return tuple(
        f"{name}={there[name]} (the settings say {value})"
        for name, value in wanted.items()
        if name in there and there[name] != value and not (name == MAX_MESSAGE_BYTES and int(there[name]) >= int(value))
    )


def message_bytes(record_bytes: int) -> int:
    """Return the largest size of a message with such a record; its key is a part of the record, and it has headers."""
    return 2 * record_bytes + MAX_HEADER_BYTES


def size_faults(configurations: Configurations, uses: Collection[TopicUse]) -> tuple[str, ...]:
    """List the topics that would refuse even a record of the usual kind."""
    needed: dict[str, int] = {}
    for use in uses:
        for topic in filter(None, (use.writes, use.dead_letters)):
            needed[topic.name] = max(needed.get(topic.name, 0), message_bytes(use.record_bytes))
    return tuple(
        f"Topic `{name}` refuses messages of more than {limit} bytes ({MAX_MESSAGE_BYTES}), but a record can have "
        f"{size}: raise it to at least that."
        for name, size in needed.items()
        if (limit := _limit(configurations, name)) is not None and limit < size
    )


def size_warnings(configurations: Configurations, settings: Settings, uses: Collection[TopicUse]) -> Iterator[str]:
    """List the topics whose batches exceed a worker's memory, and dead-letter topics too small for raw messages."""
    for name in dict.fromkeys(use.reads.name for use in uses):
        limit, counted = _limit(configurations, name), max(settings.fetch_max_bytes, DEFAULT_MESSAGE_BYTES)
        if limit is not None and limit > counted:
            yield (
                f"Topic `{name}` accepts batches of up to {limit} bytes ({MAX_MESSAGE_BYTES}), and a fetch returns at "
                f"least one: a worker's memory is calculated with {counted}. Lower it, or set "
                f"{variable('fetch_max_bytes')} to {limit} and give the workers the memory "
                "(docs/operate/capacity.md, Memory)."
            )
    yield from dict.fromkeys(warning for use in uses if (warning := _letter_warning(configurations, use)) is not None)


def _letter_warning(configurations: Configurations, use: TopicUse) -> str | None:
    """Return a warning where a worker could not store every message that it may reject."""
    raw, dead_letters = (_limit(configurations, topic.name) for topic in (use.reads, use.dead_letters))
    if use.reads.kind is not TopicKind.RAW_EVENTS or raw is None or dead_letters is None:
        return None
    needed = raw + MAX_HEADER_BYTES
    if dead_letters >= needed:
        return None
    return (
        f"Topic `{use.dead_letters.name}` refuses messages of more than {dead_letters} bytes ({MAX_MESSAGE_BYTES}), "
        f"and `{use.reads.name}` accepts up to {raw}: the processor would hold at a rejected message of that size. "
        f"Raise the former to at least {needed}."
    )


def _limit(configurations: Configurations, topic: str) -> int | None:
    limit = configurations.get(topic, {}).get(MAX_MESSAGE_BYTES)
    return None if limit is None else int(limit)
