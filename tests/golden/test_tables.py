"""The tables of presets, in the README and the pages on rules, are what the demo's traffic gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.local.traffic import traffic
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import RuleSet
from tests.builders import SEGMENT, STORED_AT, RawMessage
from tests.pages import ROOT, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.record_builders import RecordBuilders
    from pipeline.tools.what_if.findings import Findings, KindCount

PAGE = "docs/rules/mixpanel.md"
EVENTS = 200_000


@pytest.fixture(scope="module")
def findings() -> Sequence[Findings]:
    """Count the traffic of `make demo` for Segment, and for Mixpanel under both readings."""
    sets = [RuleSet(name=preset.value, rules=preset_rules(preset)) for preset in Preset]
    builders: list[tuple[Destination, RecordBuilders]] = [(Destination.SEGMENT, SEGMENT)]
    builders += [(Destination.MIXPANEL, MixpanelRecords(mtu_reading=reading)) for reading in MtuReading]
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


@pytest.mark.parametrize("page", ["README.md", "docs/rules/index.md"])
def test_the_table_of_presets_is_what_the_demo_gives_at_segment(page: str, findings: Sequence[Findings]) -> None:
    segment, *_ = findings
    assert [[row[0], *row[2:]] for row in rows(page, "preset")] == [
        [f"`{found.name}`", *(f"{each:,}" for each in (found.kept, _sent(found.kinds), found.all_users.value))]
        for found in segment.sets
    ]


def test_the_table_of_presets_is_what_the_demo_gives_at_mixpanel(findings: Sequence[Findings]) -> None:
    _, prose, by_list = findings
    assert rows(PAGE, "preset") == [
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
