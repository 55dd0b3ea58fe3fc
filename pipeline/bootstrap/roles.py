"""The table of roles: what each reads, writes and remembers, what it needs, and how it is built.

A further destination adds two rows here, and its module and row to `pipeline.bootstrap.destinations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.bootstrap.destinations.table import DESTINATIONS
from pipeline.bootstrap.files import policy_mistakes_of, schema_mistakes
from pipeline.bootstrap.processor import processor_parts
from pipeline.bootstrap.sink import sink_parts
from pipeline.bootstrap.topic_table import used_topic
from pipeline.core.classification import Destination
from pipeline.kafka.topic_use import TopicUse
from pipeline.settings.checks import state_topics
from pipeline.settings.choices import Requirement, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.bootstrap.role_parts import RoleInputs, RoleParts
    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    """One role. Topics, the group and the longest wait are given as names of settings.

    Attributes:
        reads: The topic that the role's consumer group reads.
        writes: Its outbound topic, if it has one. Every role also writes dead letters.
        keyed: The topics whose number of partitions must not change, because their keys decide the partition.
        state: Returns the topics in use that hold the role's state.
        requirements: The settings that must be set.
        checks: Further checks of settings that only this role uses.
        longest_wait: How long records may wait, in seconds; messages are never collected for longer than that.
        destination: What the role builds records for, or sends them to.
        build: Returns what a worker runs.
    """

    reads: str
    writes: str | None
    group: str
    keyed: tuple[str, ...]
    state: Callable[[Settings], tuple[str, ...]]
    requirements: frozenset[Requirement]
    checks: tuple[Check, ...]
    longest_wait: str | None
    destination: DestinationRow
    build: Callable[[DestinationRow, RoleInputs], RoleParts]


def _no_state(settings: Settings) -> tuple[str, ...]:
    del settings
    return ()


def _processor(destination: DestinationRow) -> RoleRow:
    setting = destination.settings.setting
    return RoleRow(
        reads="raw_topic",
        writes=setting("records_topic"),
        group=setting("processor_group"),
        keyed=("raw_topic", setting("records_topic")),
        state=lambda settings: state_topics(settings, destination.section(settings)),
        requirements=frozenset({Requirement.KAFKA}),
        checks=(policy_mistakes_of(destination), schema_mistakes),
        longest_wait=None,
        destination=destination,
        build=processor_parts,
    )


def _sink(destination: DestinationRow) -> RoleRow:
    setting = destination.settings.setting
    return RoleRow(
        reads=setting("records_topic"),
        writes=None,
        group=setting("sink_group"),
        keyed=(setting("records_topic"),),
        state=_no_state,
        requirements=frozenset({Requirement.KAFKA, destination.requirement}),
        checks=(),
        longest_wait=setting("flush_interval_seconds"),
        destination=destination,
        build=sink_parts,
    )


ROLES: Final[Mapping[Role, RoleRow]] = {
    Role.PROCESSOR: _processor(DESTINATIONS[Destination.SEGMENT]),
    Role.SEGMENT_SINK: _sink(DESTINATIONS[Destination.SEGMENT]),
    Role.MIXPANEL_PROCESSOR: _processor(DESTINATIONS[Destination.MIXPANEL]),
    Role.MIXPANEL_SINK: _sink(DESTINATIONS[Destination.MIXPANEL]),
}
"""In the order in which `worker all` starts them."""


def processor_of(destination: DestinationRow) -> Role:
    """Return the role that builds records for a destination."""
    return next(role for role, row in ROLES.items() if row.destination is destination and row.writes is not None)


def roles_of(destinations: Collection[DestinationRow]) -> tuple[Role, ...]:
    """Return the roles of destinations, in the order of the table."""
    return tuple(role for role, row in ROLES.items() if row.destination in destinations)


def worker_arguments(role: Role) -> tuple[str, ...]:
    """Return the arguments of the command `worker` that start a role."""
    row = ROLES[role]
    if row.writes is None:
        return (role.value,)
    return (Role.PROCESSOR.value, "--destination", row.destination.name)


def topic_use(role: Role, settings: Settings) -> TopicUse:
    """Return the topics of a role, and what it does with each."""
    row = ROLES[role]
    return TopicUse(
        reads=used_topic(row.reads, settings),
        writes=None if row.writes is None else used_topic(row.writes, settings),
        dead_letters=used_topic("dead_letter_topic", settings),
        state=tuple(used_topic(setting, settings) for setting in row.state(settings)),
        record_bytes=row.destination.max_record_bytes,
    )


def topic_uses(roles: Collection[Role], settings: Settings) -> tuple[TopicUse, ...]:
    """Return the topics of roles, in the order of the table."""
    return tuple(topic_use(role, settings) for role in ROLES if role in roles)


def requirements_of(roles: Collection[Role]) -> frozenset[Requirement]:
    """Return the requirements of roles."""
    return frozenset().union(*(ROLES[role].requirements for role in roles))


def checks_of(roles: Collection[Role]) -> tuple[Check, ...]:
    """Return the checks that roles add, each once."""
    return tuple(dict.fromkeys(check for role in ROLES if role in roles for check in ROLES[role].checks))


class Room(NamedTuple):
    """How much of a partition a worker reads.

    A batch has at most ``at_once`` messages, and fetching pauses at ``messages`` unsettled ones, or ``size`` bytes.
    """

    messages: int
    size: int
    at_once: int


def room_for(role: Role, settings: Settings) -> Room:
    """Return how much a role reads of each partition.

    Where records and not bytes fill a request, there is room for a second request, which fills while the first is in
    flight. A message batch counts until its last record is settled, and a request may end within one, so there is also
    room for a batch. Batches are half as long then: the memory of a partition is still that of two requests and
    `PIPELINE_MAX_POLL_RECORDS`.
    """
    messages, size, at_once = settings.max_messages_in_hand, settings.max_bytes_in_hand, settings.max_poll_records
    row = ROLES[role]
    if row.writes is not None or not row.destination.fills_by_count:
        return Room(messages, size, at_once)
    own, half = row.destination.section(settings), at_once // 2
    return Room(
        messages=max(messages, 2 * own.max_batch_records + half),
        size=max(size, 2 * own.max_batch_bytes + settings.fetch_max_bytes),
        at_once=max(1, half),
    )


def collect_seconds(role: Role, settings: Settings) -> float:
    """Return how long messages may be collected; for a sink that is a part of the longest wait of its records."""
    seconds, longest_wait = settings.fetch_max_wait_ms / 1000, ROLES[role].longest_wait
    return seconds if longest_wait is None else min(seconds, settings.value(longest_wait))
