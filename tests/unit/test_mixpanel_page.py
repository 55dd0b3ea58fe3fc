"""The pages on Mixpanel agree with the code."""

from __future__ import annotations

import re

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES
from pipeline.core.kinds import KINDS
from tests.pages import ROOT, rows

OPERATION = "docs/operate/mixpanel.md"
READINGS = [MixpanelRecords(mtu_reading=reading) for reading in MtuReading]


def test_the_page_lists_the_name_and_the_classes_of_every_kind() -> None:
    listed = {}
    for kinds, name, prose, by_list in rows("docs/rules/mixpanel.md", "kinds"):
        for kind in re.findall(r"`([^`]+)`", kinds):
            listed[f"message.{kind}"] = (name.startswith("`$"), name.strip("`"), prose, by_list)
    assert listed.keys() == KINDS.keys()
    for kind, (is_special, name, *classes) in listed.items():
        sent = MIXPANEL_NAMES[kind]
        assert sent == name if is_special else not sent.startswith("$")
        assert classes == [records.mtu_class(KINDS[kind]).value for records in READINGS]


OUT_OF_SESSIONS = {
    *("$campaign_delivery", "$campaign_bounced", "$campaign_marked_spam", "$message_suppressed", "$unsubscribe")
}
"""What Mixpanel leaves out of sessions by itself (schemas/SOURCES.md, "Mixpanel sessions")."""


def test_trap_9_the_customer_is_told_which_events_of_ours_extend_sessions() -> None:
    text = (ROOT / OPERATION).read_text(encoding="utf-8")
    advice = text.partition("* **Keep messages out of sessions.**")[2].partition("\n\n")[0]
    by_itself, _, to_exclude = advice.partition("It does not leave out")
    special = {name for name in MIXPANEL_NAMES.values() if name.startswith("$")}
    assert set(re.findall(r"`(\$\w+)`", by_itself)) == OUT_OF_SESSIONS
    assert set(re.findall(r"`(\$\w+)`", to_exclude)) == special - OUT_OF_SESSIONS
    assert "Session Settings" in to_exclude
