"""The actions of events in six groups, with names that fit on a chart."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.core.kinds import Action

if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(StrEnum):
    """Actions that mean the same for a user."""

    SENT = "Sent"
    RECEIVED = "Received"
    DISPLAYED = "Displayed"
    NOT_DELIVERED = "Not delivered"
    OTHER = "Other"
    ENGAGED = "Engaged"


GROUPS: Final[Mapping[Action, Group]] = {
    Action.SENT: Group.SENT,
    Action.RECEIVED: Group.RECEIVED,
    Action.DELIVERED: Group.RECEIVED,
    Action.DISPLAYED: Group.DISPLAYED,
    Action.PAGE_DISPLAYED: Group.DISPLAYED,
    Action.FAILED: Group.NOT_DELIVERED,
    Action.UNDELIVERED: Group.NOT_DELIVERED,
    Action.BOUNCED: Group.NOT_DELIVERED,
    Action.SUPPRESSED: Group.NOT_DELIVERED,
    Action.OTHER: Group.OTHER,
    Action.OPENED: Group.ENGAGED,
    Action.CLICKED: Group.ENGAGED,
    Action.UNSUBSCRIBED: Group.ENGAGED,
    Action.REPORTED_AS_SPAM: Group.ENGAGED,
}

MEANINGS: Final[Mapping[Group, str]] = {
    Group.SENT: "sent, on any channel",
    Group.RECEIVED: "received or delivered",
    Group.DISPLAYED: "in-app message or page displayed",
    Group.NOT_DELIVERED: "failed, undelivered, bounced or suppressed",
    Group.OTHER: "unknown kinds",
    Group.ENGAGED: "opened, clicked, unsubscribed, reported as spam",
}

BITS: Final[Mapping[Group, int]] = {group: 1 << index for index, group in enumerate(Group)}
"""The bit of each group, in the byte of the groups that touched a user."""

BIT_OF_ACTION: Final[Mapping[Action, int]] = {action: BITS[group] for action, group in GROUPS.items()}


def groups_of(bits: int) -> tuple[Group, ...]:
    """Return the groups whose bits are set."""
    return tuple(group for group in Group if bits & BITS[group])
