"""The name of each kind of event in Segment: OneSignal's names, those of Segment's spec, or the user's own.

Sources: schemas/SOURCES.md, "OneSignal source at Segment";
schemas/SOURCES.md, "OneSignal event kinds", for kinds that it does not name;
schemas/SOURCES.md, "Segment event names", for Segment's spec.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class NameProfile(StrEnum):
    """Where event names come from. With ``custom``, kinds that the user did not name keep OneSignal's names."""

    ONESIGNAL = "onesignal"
    SEGMENT_SPEC = "segment-spec"
    CUSTOM = "custom"


ONESIGNAL_NAMES: Final[Mapping[str, str]] = {
    "message.push.sent": "Push Sent",
    "message.push.received": "Push Received",
    "message.push.clicked": "Push Clicked",
    "message.push.failed": "Push Failed",
    "message.push.unsubscribed": "Push Unsubscribed",
    "message.iam.impression": "In-App Message Displayed",
    "message.iam.clicked": "In-App Message Clicked",
    "message.iam.page_displayed": "In-App Message Page Displayed",
    "message.email.sent": "Email Sent",
    "message.email.received": "Email Received",
    "message.email.opened": "Email Opened",
    "message.email.clicked": "Email Link Clicked",
    "message.email.unsubscribed": "Email Unsubscribed",
    "message.email.reported_as_spam": "Email Reported As Spam",
    "message.email.bounced": "Email Hardbounced",
    "message.email.failed": "Email Failed",
    "message.email.suppressed": "Email Suppressed",
    "message.sms.sent": "SMS Sent",
    "message.sms.delivered": "SMS Delivered",
    "message.sms.failed": "SMS Failed",
    "message.sms.undelivered": "SMS Undelivered",
    "message.live_activity.sent": "Live Activity Sent",
    "message.live_activity.delivered": "Live Activity Delivered",
    "message.live_activity.clicked": "Live Activity Clicked",
    "message.live_activity.unsubscribed": "Live Activity Unsubscribed",
    "message.live_activity.failed": "Live Activity Failed",
}

SEGMENT_SPEC_NAMES: Final[Mapping[str, str]] = {
    **ONESIGNAL_NAMES,
    "message.push.received": "Push Notification Received",
    "message.push.clicked": "Push Notification Tapped",
    "message.push.failed": "Push Notification Bounced",
    "message.email.received": "Email Delivered",
    "message.email.opened": "Email Opened",
    "message.email.clicked": "Email Link Clicked",
    "message.email.unsubscribed": "Unsubscribed",
    "message.email.reported_as_spam": "Email Marked as Spam",
    "message.email.bounced": "Email Bounced",
}
"""The names of Segment's email and mobile specs. Kinds that have no event there keep OneSignal's names."""


def event_names(profile: NameProfile, custom: Mapping[str, str]) -> Mapping[str, str]:
    """Return the event name of each known kind. Only the profile ``custom`` uses the custom names."""
    names: Mapping[NameProfile, Mapping[str, str]] = {
        NameProfile.ONESIGNAL: ONESIGNAL_NAMES,
        NameProfile.SEGMENT_SPEC: SEGMENT_SPEC_NAMES,
        NameProfile.CUSTOM: {**ONESIGNAL_NAMES, **custom},
    }
    return names[profile]
