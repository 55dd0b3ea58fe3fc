"""Which kind a spelling names: `Section.KINDS`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NAMES: Final = (
    *("message.push.sent", "message.push.received", "message.push.clicked", "message.push.failed"),
    *("message.push.unsubscribed", "message.iam.impression", "message.iam.clicked", "message.iam.page_displayed"),
    *("message.email.sent", "message.email.received", "message.email.opened", "message.email.clicked"),
    *("message.email.unsubscribed", "message.email.reported_as_spam", "message.email.bounced"),
    *("message.email.failed", "message.email.suppressed", "message.sms.sent", "message.sms.delivered"),
    *("message.sms.failed", "message.sms.undelivered", "message.live_activity.sent"),
    *("message.live_activity.delivered", "message.live_activity.clicked", "message.live_activity.unsubscribed"),
    "message.live_activity.failed",
)
_ALIASES: Final = {
    "message.push received": "message.push.received",
    "message.iam.displayed": "message.iam.impression",
    "message.iam.pagedisplayed": "message.iam.page_displayed",
    "message.email.resporedasspam": "message.email.reported_as_spam",
    "message.email.hardbounced": "message.email.bounced",
    "message.email.supressed": "message.email.suppressed",
}
_IGNORED: Final = re.compile(r"[\s._-]+")


def _folded(spelling: str) -> str:
    return _IGNORED.sub("", spelling).lower()


_KNOWN: Final = {_folded(name): name for name in _NAMES} | {_folded(alias): name for alias, name in _ALIASES.items()}


@lru_cache(maxsize=65_536)
def known_kind(spelling: str) -> str | None:
    """Return the canonical name of the kind that a spelling names; None for an unknown kind."""
    return _KNOWN.get(_folded(spelling))
