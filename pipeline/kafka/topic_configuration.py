"""What the cluster has configured for topics, and what of it differs from the settings or is too small."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.settings.choices import Role
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

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
"""What a topic's batches may have where nobody says otherwise."""
_ASKED_FOR: Final = (
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
"""A broker leaves out those that its version does not know."""
_WORDS: Final = frozenset({CLEANUP_POLICY, COMPRESSION, TIMESTAMP_TYPE, UNCLEAN_ELECTION})
"""The others are whole numbers."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_HEADER_BYTES: Final = 1_024
"""A dead letter's headers: their names, a topic's name of 249 characters at most, and numbers."""
RECORD_BYTES: Final = 2 * MAX_RECORD_BYTES + _HEADER_BYTES
"""The largest record, its key, which is a part of it, and its headers."""


async def read_configuration(client: AIOKafkaAdminClient, topics: Collection[str]) -> dict[str, dict[str, str]]:
    """Ask what is configured for topics. Those of which the cluster does not tell it are left out."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_ASKED_FOR)) for name in topics]
    try:
        answers = await client.describe_configs(wanted)
    except (KafkaError, TimeoutError):
        return {}  # the embedded broker does not know the question, and this user may not be allowed to ask it
    return {name: each for answer in answers for name, each in configured(answer).items()}


def configuration_request(topics: Collection[str]) -> DescribeConfigsRequest:
    """Return the request for what is configured for topics, for a client that is no admin client."""
    return DescribeConfigsRequest([(ConfigResourceType.TOPIC, name, list(_ASKED_FOR)) for name in topics])


def configured(answer: Any) -> dict[str, dict[str, str]]:
    """Return what one answer tells of each topic. A number that is none, of a server like Kafka, tells nothing."""
    return {
        name: {setting: value for setting, value, *_ in entries if _is_told(setting, value)}
        for code, _, _, name, entries in answer.resources
        if not code
    }


def _is_told(setting: str, value: str | None) -> bool:
    return value is not None and (setting in _WORDS or _NUMBER.fullmatch(value) is not None)


def differences(wanted: Mapping[str, str], there: Mapping[str, str]) -> tuple[str, ...]:
    """Say where a topic is configured otherwise than the settings want it; a larger limit is as good."""
    return tuple(
        f"{name}={there[name]} (the settings say {value})"
        for name, value in wanted.items()
        if name in there and there[name] != value and not (name == MAX_MESSAGE_BYTES and int(there[name]) >= int(value))
    )


def size_faults(configurations: Configurations, settings: Settings, roles: Collection[Role]) -> tuple[str, ...]:
    """List the topics that do not even take a record of the usual kind."""
    written = [settings.records_topic] if Role.PROCESSOR in roles else []
    return tuple(
        f"Topic `{name}` takes no message over {limit} bytes ({MAX_MESSAGE_BYTES}), and a record can have "
        f"{RECORD_BYTES}: raise it to that at least."
        for name in (*written, settings.dead_letter_topic)
        if (limit := _limit(configurations, name)) is not None and limit < RECORD_BYTES
    )


def size_warnings(configurations: Configurations, settings: Settings, roles: Collection[Role]) -> Iterator[str]:
    """Yield warnings: a topic that takes more than memory is counted for, a dead-letter topic that takes too little."""
    read = {Role.PROCESSOR: settings.raw_topic, Role.SEGMENT_SINK: settings.records_topic}
    for name in (read[role] for role in Role if role in roles):
        limit, counted = _limit(configurations, name), max(settings.fetch_max_bytes, DEFAULT_MESSAGE_BYTES)
        if limit is not None and limit > counted:
            yield (
                f"Topic `{name}` takes batches of up to {limit} bytes ({MAX_MESSAGE_BYTES}), and a fetch brings one at "
                f"least: the memory of a worker is counted with {counted}. Lower it, or set "
                f"{variable('fetch_max_bytes')} to {limit} and give the workers the memory (README, When something is "
                "wrong)."
            )
    raw = _limit(configurations, settings.raw_topic)
    dead_letters = _limit(configurations, settings.dead_letter_topic)
    if Role.PROCESSOR in roles and raw is not None and dead_letters is not None and dead_letters < raw + _HEADER_BYTES:
        yield (
            f"Topic `{settings.dead_letter_topic}` takes no message over {dead_letters} bytes ({MAX_MESSAGE_BYTES}), "
            f"and `{settings.raw_topic}` up to {raw}: the processor would hold at a rejected message of that size, "
            f"so raise the former to {raw + _HEADER_BYTES} at least."
        )


def _limit(configurations: Configurations, topic: str) -> int | None:
    limit = configurations.get(topic, {}).get(MAX_MESSAGE_BYTES)
    return None if limit is None else int(limit)
