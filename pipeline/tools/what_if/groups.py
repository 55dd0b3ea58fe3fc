"""What touches a user, in words that fit on a chart: the actions of messages in six groups."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.core.kinds import Action

if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(StrEnum):
    """Actions that say the same of a user."""

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
    Group.OTHER: "kinds that are not known",
    Group.ENGAGED: "opened, clicked, unsubscribed, reported as spam",
}

BITS: Final[Mapping[Group, int]] = {group: 1 << place for place, group in enumerate(Group)}
"""The bit of each group, in a byte that says what has touched a user."""

BIT_OF_ACTION: Final[Mapping[Action, int]] = {action: BITS[group] for action, group in GROUPS.items()}


def groups_of(bits: int) -> tuple[Group, ...]:
    """Return the groups that a byte names."""
    return tuple(group for group in Group if bits & BITS[group])
