"""Whom an event is about, and the key that orders and partitions its records.

Sources: schemas/SOURCES.md, "OneSignal source at Segment" (userId, else anonymousId);
schemas/SOURCES.md, "Mixpanel disallowed ids" (ids that stand for nobody).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.ids import EMPTY_IDS, EmptyReason, IdField, IgnoredId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.events import Event
    from pipeline.core.ids import EmptyIds


class AnonymousPolicy(StrEnum):
    """What to do with an event that has a subscription but no external id."""

    DELIVER = "deliver"
    DROP = "drop"
    REJECT = "reject"


class Identity(msgspec.Struct, frozen=True, gc=False):
    """The two ids that a record can have. At most one is set; none when the event names nobody."""

    user_id: str | None = None
    anonymous_id: str | None = None


NOBODY: Final = Identity()


def identify(event: Event, empty_ids: EmptyIds = EMPTY_IDS) -> Identity:
    """Return the userId, or the anonymousId when there is none; never both, as in OneSignal's own integration.

    ``empty_ids`` decides which external ids are placeholders. For the subscription only the usual ones count.
    """
    external_id = event.event.external_id
    if external_id and (
        external_id[0] in empty_ids.sure_first
        or external_id[-1] in empty_ids.sure_last
        or external_id[:2] in empty_ids.sure_start
        or empty_ids.reason(external_id) is None
    ):
        return Identity(external_id, None)
    for _, other in _external_ids(event):
        if empty_ids.reason(other) is None:
            return Identity(other, None)
    subscription_id = event.event.subscription_id
    if subscription_id and EMPTY_IDS.reason(subscription_id) is None:
        return Identity(None, subscription_id)
    return NOBODY


def ignored_external_ids(event: Event, empty_ids: EmptyIds) -> Iterator[IgnoredId]:
    """Yield the external ids that are placeholders."""
    for path, text in _external_ids(event):
        reason = empty_ids.reason(text)
        if reason is not None and reason is not EmptyReason.BLANK:
            yield IgnoredId(path, IdField.EXTERNAL_ID, text, reason)


def _external_ids(event: Event) -> Iterator[tuple[str, str]]:
    """Yield every external id with its path, in order of preference."""
    flaws, facts, person = event.flaws, event.event, event.user
    if flaws is not None and flaws.external_ids:
        yield from flaws.external_ids
        return
    if facts.external_id:
        yield "event.external_id", facts.external_id
    if person is not None and person.external_id:
        yield "user.external_id", person.external_id
    if facts.external_user_id:
        yield "event.external_user_id", facts.external_user_id
    if event.external_user_id:
        yield "external_user_id", event.external_user_id
    if person is not None and person.external_user_id:
        yield "user.external_user_id", person.external_user_id


def user_key(identity: Identity) -> bytes:
    """Return the key that orders and partitions a user's events: the userId, else the anonymousId, as UTF-8.

    Kafka's default partitioner maps it to the user's partition. It is empty when the event names nobody.
    """
    return (identity.user_id or identity.anonymous_id or "").encode()
