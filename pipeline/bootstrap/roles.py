"""The table of roles: what each reads, writes and remembers, what it needs, and how it is built.

A further destination adds two rows here, its topics to `pipeline.bootstrap.topic_table`, and its module to
`pipeline.bootstrap.destinations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.files import policy_mistakes, schema_mistakes
from pipeline.bootstrap.processor import processor_parts
from pipeline.bootstrap.sink import sink_parts
from pipeline.bootstrap.topic_table import used_topic
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


ROLES: Final[Mapping[Role, RoleRow]] = {
    Role.PROCESSOR: RoleRow(
        reads="raw_topic",
        writes="records_topic",
        group="processor_group",
        keyed=("raw_topic", "records_topic"),
        state=lambda settings: state_topics(settings, settings.segment),
        requirements=frozenset({Requirement.KAFKA}),
        checks=(policy_mistakes, schema_mistakes),
        longest_wait=None,
        destination=SEGMENT,
        build=processor_parts,
    ),
    Role.SEGMENT_SINK: RoleRow(
        reads="records_topic",
        writes=None,
        group="segment_sink_group",
        keyed=("records_topic",),
        state=_no_state,
        requirements=frozenset({Requirement.KAFKA, Requirement.SEGMENT}),
        checks=(),
        longest_wait="segment_flush_interval_seconds",
        destination=SEGMENT,
        build=sink_parts,
    ),
}
"""In the order in which `worker all` starts them."""


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


def collect_seconds(role: Role, settings: Settings) -> float:
    """Return how long messages may be collected; for a sink that is a part of the longest wait of its records."""
    seconds, longest_wait = settings.fetch_max_wait_ms / 1000, ROLES[role].longest_wait
    return seconds if longest_wait is None else min(seconds, settings.value(longest_wait))
