from __future__ import annotations

import pytest

from pipeline.core.destinations.segment.names import (
    ONESIGNAL_NAMES,
    SEGMENT_SPEC_NAMES,
    NameProfile,
    event_names,
)
from pipeline.core.kinds import KINDS

# The Events table of the OneSignal Source page (schemas/SOURCES.md, "OneSignal source at Segment").
PAGE = {
    "Push Sent",
    "Push Received",
    "Push Clicked",
    "In-App Message Displayed",
    "In-App Message Clicked",
    "In-App Message Page Displayed",
    "Email Sent",
    "Email Opened",
    "Email Unsubscribed",
    "Email Received",
    "Email Reported As Spam",
    "Email Hardbounced",
    "Email Failed",
    "SMS Sent",
    "SMS Delivered",
    "SMS Failed",
}
NOT_ON_THE_PAGE = {
    "Push Failed",
    "Push Unsubscribed",
    "Email Link Clicked",
    "Email Suppressed",
    "SMS Undelivered",
    "Live Activity Sent",
    "Live Activity Delivered",
    "Live Activity Clicked",
    "Live Activity Unsubscribed",
    "Live Activity Failed",
}


def test_the_names_are_those_of_the_source_page_and_the_domain() -> None:
    assert set(ONESIGNAL_NAMES.values()) == PAGE | NOT_ON_THE_PAGE
    assert len(ONESIGNAL_NAMES) == len(PAGE | NOT_ON_THE_PAGE)


@pytest.mark.parametrize("profile", NameProfile)
def test_every_kind_has_a_name_in_every_profile(profile: NameProfile) -> None:
    assert set(event_names(profile, {})) == set(KINDS)


def test_the_segment_spec_names_what_it_knows() -> None:
    names = event_names(NameProfile.SEGMENT_SPEC, {})
    assert {name for kind, name in names.items() if name != ONESIGNAL_NAMES[kind]} == {
        "Push Notification Received",
        "Push Notification Tapped",
        "Push Notification Bounced",
        "Email Delivered",
        "Email Bounced",
        "Email Marked as Spam",
        "Unsubscribed",
    }
    assert names is SEGMENT_SPEC_NAMES


def test_custom_names_replace_onesignals_and_are_read_by_their_profile_only() -> None:
    custom = {"message.push.sent": "Sent!"}
    assert event_names(NameProfile.CUSTOM, custom)["message.push.sent"] == "Sent!"
    assert event_names(NameProfile.CUSTOM, custom)["message.sms.sent"] == "SMS Sent"
    assert event_names(NameProfile.ONESIGNAL, custom)["message.push.sent"] == "Push Sent"
