"""Members of the consumer group that are not our workers: any client that knows the group's name can join it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import InconsistentGroupProtocolError, KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest

from pipeline.core.privacy import clean_reason
from pipeline.stream.errors import GroupRefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

logger = structlog.get_logger(__name__)

OWN_CLIENTS: Final = "onesignal-pipeline-"
"""The prefix of the client ids of workers."""
MOST_NAMED: Final = 5
_NAME_CHARACTERS: Final = 60
_SUFFIX_CHARACTERS: Final = 37
"""What a broker appends to a client id to form a member id: a hyphen and a UUID."""
_ANSWER_SECONDS: Final = 5.0
_METADATA_AT: Final = -1
_SUBSCRIBES_TO_NOTHING: Final = ConsumerProtocol.METADATA(0, [], b"").encode()
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""The names that Kafka accepts for a topic. aiokafka also requests others, and logs them."""


def expect_foreign_members(coordinator: Any) -> None:
    """Tolerate members that write anything, whether our worker leads the group or one of them does."""
    pass_over_unreadable_members(coordinator)
    refuse_unusable_assignments(coordinator)


def pass_over_unreadable_members(coordinator: Any) -> None:
    """Assign nothing to members whose subscription cannot be read, when our worker leads the group.

    aiokafka 0.14 decodes the metadata of every member (`aiokafka/consumer/group_coordinator.py`,
    `_perform_assignment`), and stops when one cannot be decoded. Another client may write anything there.
    """
    perform = coordinator._perform_assignment  # noqa: SLF001

    async def perform_leniently(response: Any) -> Any:
        foreign = [member[0] for member in response.members if not _is_readable(member[_METADATA_AT])]
        if foreign:
            response.members = [
                member if _is_readable(member[_METADATA_AT]) else (*member[:_METADATA_AT], _SUBSCRIBES_TO_NOTHING)
                for member in response.members
            ]
            logger.warning(
                "group members with unreadable subscriptions get no partitions: they are not the pipeline's workers",
                members=[shown(name[:-_SUFFIX_CHARACTERS]) for name in foreign[:MOST_NAMED]],
                count=len(foreign),
            )
        return await perform(response)

    coordinator._perform_assignment = perform_leniently  # noqa: SLF001


def _is_readable(metadata: bytes) -> bool:
    try:
        topics: list[str] = ConsumerProtocol.METADATA.decode(metadata).subscription
        return all(_TOPIC.fullmatch(topic) for topic in topics)
    except Exception:  # noqa: BLE001 - bytes of any kind
        return False


def refuse_unusable_assignments(coordinator: Any) -> None:
    """Raise a group error for an assignment that our worker cannot use.

    A foreign member that leads the group may assign anything. aiokafka 0.14 treats an assignment that cannot be
    decoded, or that names another topic, as a bug: it logs a traceback that quotes the assignment
    (`aiokafka/consumer/group_coordinator.py`, `_coordination_routine`).
    """
    complete = coordinator._on_join_complete  # noqa: SLF001

    async def complete_if_usable(generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        if not _is_usable(assignment, coordinator._subscription.topics):  # noqa: SLF001
            raise KafkaError("the group's leader sent an unusable assignment")
        await complete(generation, member_id, protocol, assignment)

    coordinator._on_join_complete = complete_if_usable  # noqa: SLF001


def _is_usable(assignment: bytes, topics: Collection[str]) -> bool:
    try:
        return all(
            partition.topic in topics for partition in ConsumerProtocol.ASSIGNMENT.decode(assignment).partitions()
        )
    except Exception:  # noqa: BLE001 - bytes of any kind
        return False


async def foreign_members(client: Any, coordinator_id: Any, group: str) -> Collection[str]:
    """Return the members that are not our workers, by client id and host; none if Kafka does not answer."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            node = client.get_random_node() if coordinator_id is None else coordinator_id
            answer = await client.send(node, DescribeGroupsRequest([group]))
    except (KafkaError, TimeoutError, ValueError):
        return []
    members = [member for described in answer.to_object()["groups"] for member in described["members"]]
    return sorted(
        f"{shown(member['client_id'])} at {_plain(member['client_host'])}"
        for member in members
        if not member["client_id"].startswith(OWN_CLIENTS)
    )


async def end_of_membership(error: Any, consumer: Any, group: str) -> Any:
    """Return the error that ended a membership, or a `GroupRefusedError` if another member may have caused it.

    aiokafka wraps an unexpected error in a plain `KafkaError` that quotes it.
    """
    if type(error) is not KafkaError and not isinstance(error, InconsistentGroupProtocolError):
        return error
    coordinator_id = consumer._coordinator.coordinator_id  # noqa: SLF001
    members = await foreign_members(consumer._client, coordinator_id, group)  # noqa: SLF001
    return GroupRefusedError(group, members, type(error).__name__)


def shown(name: str) -> str:
    """Return the name of a foreign client in a form that may be logged."""
    return clean_reason(_plain(name))


def _plain(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)[:_NAME_CHARACTERS]
