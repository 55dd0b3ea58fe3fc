"""Who an event is about, and what orders and partitions its records.

Source: the OneSignal Source page (userId, else anonymousId) and domain.md 3.1 (ids that name nobody).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pipeline.core.events import Event


class AnonymousPolicy(StrEnum):
    """What to do with an event that has a subscription but no external id."""

    DELIVER = "deliver"
    DROP = "drop"
    REJECT = "reject"


NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

DISALLOWED_IDS: Final = frozenset(
    {
        "",
        NIL_UUID,
        "anon",
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "<nil>",
        "0",
        "-1",
        "true",
        "false",
        "[]",
        "{}",
    },
)
"""Ids that many people share by mistake, in lower case; Mixpanel refuses them and so do we (domain.md 3.1)."""


class Identity(msgspec.Struct, frozen=True, gc=False):
    """The two ids Segment knows. At most one is set; neither is when the event names nobody."""

    user_id: str | None = None
    anonymous_id: str | None = None


NOBODY: Final = Identity()


def names_somebody(identifier: str | None) -> bool:
    """Tell whether an id is present and not one that Mixpanel disallows, in any letter case."""
    return identifier is not None and identifier.strip().lower() not in DISALLOWED_IDS


def identify(event: Event) -> Identity:
    """Choose the userId, or without one the anonymousId; never both, as OneSignal's own integration does."""
    facts = event.event
    if names_somebody(facts.external_id):
        return Identity(facts.external_id, None)
    if event.user is not None and names_somebody(event.user.external_id):
        return Identity(event.user.external_id, None)
    if names_somebody(facts.subscription_id):
        return Identity(None, facts.subscription_id)
    return NOBODY


def user_key(identity: Identity) -> bytes:
    """Return what orders and partitions a user's events: the userId, else the anonymousId, as UTF-8.

    Kafka's default partitioner over these bytes gives the user's partition. Empty when the event names nobody.
    """
    return (identity.user_id or identity.anonymous_id or "").encode()
