"""The pages on Mixpanel agree with the code, and the tables of presets with the demo's traffic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES
from pipeline.core.kinds import KINDS
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.local.traffic import traffic
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import RuleSet
from tests.builders import SEGMENT, STORED_AT, RawMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.record_builders import RecordBuilders
    from pipeline.tools.what_if.findings import Findings, KindCount

ROOT = Path(__file__).parents[2]
PAGE = "docs/rules/mixpanel.md"
OPERATION = "docs/operate/mixpanel.md"
EVENTS = 200_000
READINGS: Mapping[MtuReading, MixpanelRecords] = {
    reading: MixpanelRecords(mtu_reading=reading) for reading in MtuReading
}


def _rows(page: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    table = text.partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.split("\n")[2:]]


def test_the_page_lists_the_name_and_the_classes_of_every_kind() -> None:
    listed = {}
    for kinds, name, prose, by_list in _rows(PAGE, "kinds"):
        for kind in re.findall(r"`([^`]+)`", kinds):
            listed[f"message.{kind}"] = (name.startswith("`$"), name.strip("`"), prose, by_list)
    assert listed.keys() == KINDS.keys()
    for kind, (is_special, name, *classes) in listed.items():
        sent = MIXPANEL_NAMES[kind]
        assert sent == name if is_special else not sent.startswith("$")
        assert classes == [records.mtu_class(KINDS[kind]).value for records in READINGS.values()]


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


@pytest.fixture(scope="module")
def findings() -> Sequence[Findings]:
    """Count the traffic of `make demo` for Segment, and for Mixpanel under both readings."""
    sets = [RuleSet(name=preset.value, rules=preset_rules(preset)) for preset in Preset]
    builders: list[tuple[Destination, RecordBuilders]] = [(Destination.SEGMENT, SEGMENT)]
    builders += [(Destination.MIXPANEL, records) for records in READINGS.values()]
    accounts = [
        Account(destination=destination, policy=Policy(records=records), billing_month=BillingMonth())
        for destination, records in builders
    ]
    count = Count(sets, sets[0], accounts=accounts)
    count.count(
        RawMessage(value=message.value, offset=offset, timestamp=STORED_AT)
        for offset, message in enumerate(traffic(seed=1, events=EVENTS))
    )
    return count.findings("the demo")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/rules/index.md"])
def test_the_table_of_presets_is_what_the_demo_gives_at_segment(page: str, findings: Sequence[Findings]) -> None:
    segment, *_ = findings
    assert [[row[0], *row[2:]] for row in _rows(page, "preset")] == [
        [f"`{found.name}`", *(f"{each:,}" for each in (found.kept, _sent(found.kinds), found.all_users.value))]
        for found in segment.sets
    ]


@pytest.mark.slow
def test_the_table_of_presets_is_what_the_demo_gives_at_mixpanel(findings: Sequence[Findings]) -> None:
    _, prose, by_list = findings
    assert _rows(PAGE, "preset") == [
        [
            f"`{found.name}`",
            *(f"{each:,}" for each in (found.kept, prose.exempt(found), found.all_users.value, other.all_users.value)),
        ]
        for found, other in zip(prose.sets, by_list.sets, strict=True)
    ]
    kept, engagement = (prose.exempt(found) for found in (prose.sets[0], prose.sets[2]))
    assert f"{kept - engagement:,} delivery events that bill nobody" in (ROOT / PAGE).read_text(encoding="utf-8")


def _sent(kinds: Mapping[str, KindCount]) -> int:
    return sum(count.kept for kind, count in kinds.items() if kind.endswith(".sent"))
