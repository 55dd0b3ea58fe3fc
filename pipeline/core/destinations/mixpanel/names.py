"""The name of each kind of event in Mixpanel (schemas/SOURCES.md, "Mixpanel event names")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Mixpanel's event name for each kind (schemas/SOURCES.md, "Mixpanel event names")."""

ALLOWED_DOLLAR_NAMES: Final = frozenset(name for name in MIXPANEL_NAMES.values() if name.startswith("$"))
"""The names of Mixpanel's own that a names file may use. With others, such as ``$identify``, Mixpanel refuses the whole
request (schemas/SOURCES.md, "Mixpanel identity")."""
