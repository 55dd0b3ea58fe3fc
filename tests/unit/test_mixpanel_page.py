"""The table of names in docs/rules/mixpanel.md is what the code says."""

from __future__ import annotations

import re

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES
from pipeline.core.kinds import KINDS
from tests.pages import rows

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
