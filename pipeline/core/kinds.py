"""Every kind of OneSignal event: its spellings, channel, action and category.

Source: schemas/SOURCES.md, "OneSignal event kinds". Kinds have at least two spellings in use, so every kind is looked
up here before anything is decided.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Channel(StrEnum):
    """How a message travels. ``other``: an unknown kind that names no channel."""

    PUSH = "push"
    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    LIVE_ACTIVITY = "live_activity"
    OTHER = "other"


class Action(StrEnum):
    """What happened to a message. ``other``: an unknown kind that names no action."""

    SENT = "sent"
    RECEIVED = "received"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    PAGE_DISPLAYED = "page_displayed"
    OPENED = "opened"
    CLICKED = "clicked"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    REPORTED_AS_SPAM = "reported_as_spam"
    OTHER = "other"


class Category(StrEnum):
    """The category in the MTU rules: what the sender did (delivery), or what the person did (engagement)."""

    DELIVERY = "delivery"
    ENGAGEMENT = "engagement"


CATEGORIES: Final[Mapping[Action, Category]] = {
    Action.SENT: Category.DELIVERY,
    Action.RECEIVED: Category.DELIVERY,
    Action.DELIVERED: Category.DELIVERY,
    Action.DISPLAYED: Category.DELIVERY,
    Action.PAGE_DISPLAYED: Category.DELIVERY,
    Action.OPENED: Category.ENGAGEMENT,
    Action.CLICKED: Category.ENGAGEMENT,
    Action.FAILED: Category.DELIVERY,
    Action.UNDELIVERED: Category.DELIVERY,
    Action.BOUNCED: Category.DELIVERY,
    Action.SUPPRESSED: Category.DELIVERY,
    # An unsubscribe and a spam report are acts of a person.
    Action.UNSUBSCRIBED: Category.ENGAGEMENT,
    Action.REPORTED_AS_SPAM: Category.ENGAGEMENT,
    # Nothing shows that an unknown action is an act of a person.
    Action.OTHER: Category.DELIVERY,
}


class Kind(msgspec.Struct, frozen=True, gc=False):
    """One kind of event under its canonical name. ``known`` is false for a kind that is not in the table."""

    name: str
    channel: Channel
    action: Action
    category: Category
    known: bool = True


_CHANNEL_WORDS: Final[Mapping[str, Channel]] = {
    "push": Channel.PUSH,
    "iam": Channel.IN_APP,
    "email": Channel.EMAIL,
    "sms": Channel.SMS,
    "live_activity": Channel.LIVE_ACTIVITY,
}

# The last word of a kind is the value of its action, except in impressions.
_ACTION_WORDS: Final[Mapping[str, Action]] = {
    **{action.value: action for action in Action if action is not Action.OTHER},
    "impression": Action.DISPLAYED,
}

_NAMES: Final = (
    "message.push.sent",
    "message.push.received",
    "message.push.clicked",
    "message.push.failed",
    "message.push.unsubscribed",
    "message.iam.impression",
    "message.iam.clicked",
    "message.iam.page_displayed",
    "message.email.sent",
    "message.email.received",
    "message.email.opened",
    "message.email.clicked",
    "message.email.unsubscribed",
    "message.email.reported_as_spam",
    "message.email.bounced",
    "message.email.failed",
    "message.email.suppressed",
    "message.sms.sent",
    "message.sms.delivered",
    "message.sms.failed",
    "message.sms.undelivered",
    "message.live_activity.sent",
    "message.live_activity.delivered",
    "message.live_activity.clicked",
    "message.live_activity.unsubscribed",
    "message.live_activity.failed",
)

ALIASES: Final[Mapping[str, str]] = {
    "message.push received": "message.push.received",
    "message.iam.displayed": "message.iam.impression",
    "message.iam.pagedisplayed": "message.iam.page_displayed",
    "message.email.resporedasspam": "message.email.reported_as_spam",
    "message.email.hardbounced": "message.email.bounced",
    "message.email.supressed": "message.email.suppressed",
}
"""Older and misspelt names, with the canonical name of each."""


def _kind(name: str, *, known: bool) -> Kind:
    words = name.split(".")
    channel = next((_CHANNEL_WORDS[word] for word in words if word in _CHANNEL_WORDS), Channel.OTHER)
    action = _ACTION_WORDS.get(words[-1], Action.OTHER)
    return Kind(name=name, channel=channel, action=action, category=CATEGORIES[action], known=known)


KINDS: Final[Mapping[str, Kind]] = {name: _kind(name, known=True) for name in _NAMES}
"""The kinds by canonical name."""

SPELLINGS: Final[Mapping[str, Kind]] = {**KINDS, **{alias: KINDS[name] for alias, name in ALIASES.items()}}
"""The kinds by every known spelling."""

_LONGEST_UNKNOWN_NAME: Final = 100
_PASSED_OVER: Final = re.compile(r"[\s._-]+")


def plain_spelling(spelling: str) -> str:
    """Return the form in which spellings are compared: without case, white space, dots, underscores and hyphens."""
    return _PASSED_OVER.sub("", spelling).casefold()


_BY_PLAIN_SPELLING: Final[Mapping[str, Kind]] = {plain_spelling(spelling): kind for spelling, kind in SPELLINGS.items()}


def kind_of(spelling: str) -> Kind:
    """Return the kind that a spelling names. The words of an unknown kind determine its channel and action.

    Letter case, white space, dots, underscores and hyphens do not matter; every other character does.
    """
    kind = SPELLINGS.get(spelling) or _BY_PLAIN_SPELLING.get(plain_spelling(spelling))
    if kind is not None:
        return kind
    return _kind(spelling.strip().lower()[:_LONGEST_UNKNOWN_NAME].replace(" ", ".").replace("-", "_"), known=False)
