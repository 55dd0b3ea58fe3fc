"""Whether an event counts as a monthly tracked user (MTU), for each destination.

Segment exempts no messaging event. Mixpanel exempts by exact event name, and its own page contradicts itself about
two of the names, so both readings are here. Rules are data with a version; there is no other place that knows them.
Source: domain.md 0.1, 2.3 and 3.2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.kinds import Kind


class Destination(StrEnum):
    """Where records go."""

    SEGMENT = "segment"
    MIXPANEL = "mixpanel"


class MtuClass(StrEnum):
    """Whether an event makes its user a billed one."""

    COUNTED = "counted"
    EXEMPT = "exempt"


class MtuRules(msgspec.Struct, frozen=True, kw_only=True):
    """The MTU rules of one destination, in one version.

    ``names`` are the destination's own names of the kinds; ``exempt_names`` are those that do not count.
    """

    destination: Destination
    version: str
    names: dict[str, str] = {}
    exempt_names: frozenset[str] = frozenset()


MIXPANEL_NAMES: Final[Mapping[str, str]] = {
    "message.push.sent": "$campaign_delivery",
    "message.push.received": "$campaign_received",
    "message.push.clicked": "$app_open",
    "message.push.failed": "Push Failed",
    "message.push.unsubscribed": "$unsubscribe",
    "message.iam.impression": "$campaign_delivery",
    "message.iam.clicked": "$campaign_open",
    "message.iam.page_displayed": "In-App Page Displayed",
    "message.email.sent": "$campaign_delivery",
    "message.email.received": "$campaign_received",
    "message.email.opened": "$campaign_open",
    "message.email.clicked": "$app_open",
    "message.email.unsubscribed": "$unsubscribe",
    "message.email.reported_as_spam": "$campaign_marked_spam",
    "message.email.bounced": "$campaign_bounced",
    "message.email.failed": "Email Failed",
    "message.email.suppressed": "$message_suppressed",
    "message.sms.sent": "$campaign_delivery",
    "message.sms.delivered": "$campaign_received",
    "message.sms.failed": "SMS Failed",
    "message.sms.undelivered": "SMS Undelivered",
    "message.live_activity.sent": "Live Activity Sent",
    "message.live_activity.delivered": "Live Activity Delivered",
    "message.live_activity.clicked": "Live Activity Clicked",
    "message.live_activity.unsubscribed": "Live Activity Unsubscribed",
    "message.live_activity.failed": "Live Activity Failed",
}
"""Mixpanel's event name for each kind (domain.md 3.2)."""

_MIXPANEL_EXEMPT: Final = frozenset(
    {
        "$campaign_delivery",
        "$campaign_received",
        "$campaign_bounced",
        "$campaign_marked_spam",
        "$message_suppressed",
        "$unsubscribe",
    },
)

SEGMENT_MTU: Final = MtuRules(destination=Destination.SEGMENT, version="segment-1")
"""Every call with a new userId or anonymousId counts."""

MIXPANEL_MTU: Final = MtuRules(
    destination=Destination.MIXPANEL,
    version="mixpanel-2023-03-prose",
    names=dict(MIXPANEL_NAMES),
    exempt_names=_MIXPANEL_EXEMPT,
)
"""Delivery is exempt, engagement counts: what the page says in prose, and the careful reading."""

MIXPANEL_MTU_BY_LIST: Final = MtuRules(
    destination=Destination.MIXPANEL,
    version="mixpanel-2023-03-list",
    names=dict(MIXPANEL_NAMES),
    exempt_names=_MIXPANEL_EXEMPT | {"$app_open", "$campaign_open"},
)
"""What the same page lists: opens and clicks are exempt too."""

DEFAULT_MTU_RULES: Final = (SEGMENT_MTU, MIXPANEL_MTU)


def mtu_class(kind: Kind, rules: MtuRules) -> MtuClass:
    """Tell whether an event of this kind counts under these rules, sent under the destination's own name."""
    exempt = rules.names.get(kind.name) in rules.exempt_names
    return MtuClass.EXEMPT if exempt else MtuClass.COUNTED
