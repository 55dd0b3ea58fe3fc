from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from pipeline.core.classification import Destination
from pipeline.output.console import TerminalConsole
from pipeline.tools.what_if.prices import Prices, Unit, parse_prices
from pipeline.tools.what_if.tables import print_findings
from pipeline.tools.what_if.words import share
from tests.builders import RawMessage
from tests.unit.tools.test_counting import CLICKED, SENT, TRACKED, TRAFFIC
from tests.unit.tools.traffic import (
    ENGAGEMENT,
    EVERYTHING,
    EXEMPT,
    account,
    all_findings_of,
    findings_of,
    happened,
    rule_set,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.tools.what_if.findings import Findings

LOSSY = rule_set("rules:\n  - {when: {action: clicked}, then: drop}\n", "lossy.yaml")


def _printed(findings: Findings, prices: Prices | None = None, width: int = 1000, *, terminal: bool = False) -> str:
    charges = {} if prices is None else {findings.destination: prices}
    return _all_printed([findings], charges, width, terminal=terminal)


def _all_printed(
    destinations: Sequence[Findings],
    charges: Mapping[Destination, Prices],
    width: int = 1000,
    *,
    terminal: bool = False,
) -> str:
    written = io.StringIO()
    console = TerminalConsole(
        file=written, width=width, force_terminal=terminal, color_system=None, legacy_windows=False
    )
    print_findings(console, destinations, charges)
    return written.getvalue()


def _row(printed: str, begin: str) -> list[str]:
    (line,) = [line for line in printed.splitlines() if line.strip().startswith(begin)][:1]
    return line.strip().removeprefix(begin).split()


def test_each_set_of_rules_has_its_users_money_and_losses() -> None:
    printed = _printed(findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT), parse_prices("10", "USD"))
    assert "6 messages of a test, from 2026-01-05 10:00 to 2026-01-05 10:00 UTC.\n" in printed
    assert "Cost in 2026-01 (partial: 05 Jan)\n" in printed
    assert _row(printed, "keep-all (baseline)") == ["3", "-", "-", "30.00", "USD", "-", "6", "-", "-"]
    assert _row(printed, "engagement-only") == [*["1", "2", "67", "%", "10.00", "USD", "20.00", "USD", "1", "0", "2"]]
    assert "ENGAGEMENTS LOST" not in printed
    assert "Price: 10 USD per MTU.\n" in printed


def test_lost_engagements_are_loud() -> None:
    printed = _printed(findings_of([*TRAFFIC, happened("u-9", CLICKED)], EVERYTHING, LOSSY))
    assert "ENGAGEMENTS LOST: lossy.yaml loses 2 engagements that keep-all keeps: push.clicked 2\n" in printed
    printed = _printed(findings_of(TRAFFIC, EVERYTHING, LOSSY))
    assert "loses 1 engagement that keep-all keeps" in printed


def test_without_a_price_there_is_no_money_and_a_hint() -> None:
    printed = _printed(findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT))
    assert "cost" not in printed.splitlines()[3]
    assert "To see the cost in money, add --price, for example --price 0.01.\n" in printed


def test_what_is_printed_for_each_kind_adds_up_to_what_was_read() -> None:
    odd = [RawMessage(value=None), RawMessage(value=b"nonsense"), happened("u-1", "message.fax.sent")]
    printed = _printed(findings_of([*odd, *TRAFFIC], EVERYTHING, ENGAGEMENT))
    assert _row(printed, "push.sent") == ["3", "-", "-", "-", "3", "-"]
    assert _row(printed, "fax.sent") == ["-", "-", "1", "-", "-", "1"]
    assert _row(printed, "(no body)") == ["1", "1"]
    assert _row(printed, "(cannot be decoded)") == ["1", "1"]
    assert _row(printed, "all 9 messages") == ["6", "1", "2", "1", "6", "2"]
    assert "1 messages cannot be decoded (not_json 1), whatever the rules are.\n" in printed
    assert "1 messages have no body and are dropped, whatever the rules are.\n" in printed


def test_several_months_are_told_one_by_one_and_together() -> None:
    messages = [*TRAFFIC, happened("u-1", CLICKED, "2026-02-03T00:00")]
    printed = _printed(findings_of(messages, EVERYTHING, ENGAGEMENT, start_day=3), parse_prices("1"))
    assert "2026-01-03 to 2026-02-02 (partial: 05 Jan to 02 Feb)" in printed
    assert _row(printed, "all months")[:4] == ["4", "-", "-", "4.00"]


def test_estimates_are_marked_and_their_error_is_stated() -> None:
    many = [happened(f"u-{number}", SENT) for number in range(70_000)]
    printed = _printed(findings_of(many, EVERYTHING, ENGAGEMENT, exact_users=100))
    assert _row(printed, "keep-all (baseline)")[0].startswith("~")
    assert "more than 100 distinct users" in printed
    assert "estimates by Theta sketches: MTUs within ±0." in printed


def test_what_the_figures_do_not_know_is_said() -> None:
    timeless = RawMessage(value=b'{"event": {"kind": "message.push.sent", "external_id": "u-7"}}', timestamp=-1)
    printed = _printed(findings_of([*TRAFFIC, timeless], EVERYTHING, TRACKED))
    assert "tracked_only knows only the users of this traffic" in printed
    assert "1 events have no time" in printed
    assert "covers only a part of the billing month 2026-01 (partial: 05 Jan)" in printed


def test_nothing_at_all_can_be_printed() -> None:
    printed = _printed(findings_of([], EVERYTHING, ENGAGEMENT), parse_prices("1"))
    assert printed.startswith("0 messages of a test.\n")
    assert _row(printed, "engagement-only") == [*["0", "0", "0", "%", "0.00", "0.00", "0", "0", "0"]]


def test_without_a_terminal_no_line_is_folded_and_none_is_drawn() -> None:
    printed = _printed(findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT, LOSSY, TRACKED))
    assert all(character.isascii() for character in printed)
    assert not any(line != line.rstrip() for line in printed.splitlines())


def test_on_a_narrow_terminal_tables_are_parted_and_no_number_is_cut() -> None:
    messages = [*TRAFFIC, happened("u-1", CLICKED, "2026-02-03T00:00")]
    findings = findings_of(messages, EVERYTHING, ENGAGEMENT, LOSSY)
    printed = _printed(findings, parse_prices("0.012", "USD"), width=80, terminal=True)
    assert "Other effects" in printed
    assert "Events by kind: keep-all (baseline)" in printed
    assert "Events by kind: lossy.yaml" in printed
    assert "…" not in printed
    tables = [line for line in printed.splitlines() if line.startswith("  ")]
    assert max(map(len, tables)) <= 80


def test_the_markup_of_a_name_is_no_markup() -> None:
    bold = rule_set("rules: []\n", "[bold]x[/].yaml")
    assert "[bold]x[/].yaml (baseline)" in _printed(findings_of(TRAFFIC, bold, EVERYTHING))


FAILED = "message.push.failed"
MORE = [*TRAFFIC, happened("u-2", FAILED), happened("u-4", FAILED)]
EVENTS = parse_prices("0.5", "USD", Unit.EVENT)


def test_two_destinations_stand_next_to_each_other_with_their_own_users_and_prices() -> None:
    charges = {Destination.SEGMENT: parse_prices("10", "USD"), Destination.MIXPANEL: EVENTS}
    printed = _all_printed(all_findings_of(MORE, EVERYTHING, ENGAGEMENT, EXEMPT), charges)
    assert "Cost in 2026-01 (partial: 05 Jan)\n" in printed
    begin = printed.index("keep-all (baseline)")
    assert [" ".join(line.split()) for line in printed[begin:].splitlines()[:6]] == [
        "keep-all (baseline) Segment 4 - - - 40.00 USD - 8 - - -",
        "Mixpanel 3 - - 0.0 4.00 USD - 8 5 - -",
        "engagement-only Segment 1 3 75 % - 10.00 USD 30.00 USD 1 - 0 3",
        "Mixpanel 1 2 67 % 0.0 0.50 USD 3.50 USD 1 0 0 3",
        "exempt-delivery Segment 1 3 75 % - 10.00 USD 30.00 USD 1 - 0 3",
        "Mixpanel 1 2 67 % 0.0 3.00 USD 1.00 USD 6 5 0 1",
    ]
    assert _row(printed, "push.sent")[:7] == ["exempt", "3", "-", "-", "3", "-", "-"]
    assert _row(printed, "push.failed")[0] == "counted"
    assert "Price at Segment: 10 USD per MTU.\nPrice at Mixpanel: 0.5 USD per event.\n" in printed


def test_the_guardrail_is_said_to_depend_on_the_whole_project() -> None:
    printed = _all_printed(all_findings_of([*TRAFFIC] * 400, EVERYTHING, ENGAGEMENT), {})
    assert _row(printed, "Mixpanel")[:4] == ["1", "-", "-", "2.4"]
    assert "its MTUs are its events/1,000. This depends on the whole project, not only on OneSignal's events" in printed
    assert "engagement-only drops 2,000 events that bill no user at Mixpanel" in printed
    assert "compare with $all_mtu_events in Insights" in printed


def test_hints_name_the_price_that_each_destination_lacks() -> None:
    both = all_findings_of(TRAFFIC, EVERYTHING)
    mixpanel = both[1:]
    hints = [each in _all_printed(both, {}) for each in ("add --price,", "add --price-event,")]
    assert hints == [True, True]
    printed = _all_printed(both, {Destination.SEGMENT: parse_prices("1")})
    assert ("add --price," in printed, "add --price-event," in printed) == (False, True)
    printed = _all_printed(mixpanel, {Destination.MIXPANEL: EVENTS})
    assert "Price: 0.5 USD per event.\n" in printed
    assert "add --price" not in printed


def test_destinations_with_other_months_have_a_row_for_each_of_theirs() -> None:
    accounts = [account(Destination.SEGMENT, start_day=10), account(Destination.MIXPANEL)]
    messages = [*MORE, happened("u-1", CLICKED, "2026-01-20T00:00")]
    printed = _all_printed(all_findings_of(messages, EVERYTHING, accounts=accounts), {Destination.MIXPANEL: EVENTS})
    assert "\nCost\n" in printed
    assert _row(printed, "keep-all (baseline)")[:3] == ["Segment", "2025-12-10", "to"]
    assert _row(printed, "all months")[:6] == ["5", "-", "-", "-", "-", "-"]
    assert " ".join(_row(printed, "Mixpanel")[:10]) == "2026-01 (partial: 05 Jan to 20 Jan) 3 - -"


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (200, ["Cost in 2026-01 (partial: 05 Jan)"]),
        (120, ["Cost in 2026-01 (partial: 05 Jan)", "Events", "Other effects"]),
        (
            80,
            [
                *("Cost at Segment in 2026-01 (partial: 05 Jan)", "Other effects at Segment"),
                *("Cost at Mixpanel in 2026-01 (partial: 05 Jan)", "Events at Mixpanel", "Other effects at Mixpanel"),
            ],
        ),
    ],
)
def test_the_narrower_a_terminal_is_the_more_tables_it_has_and_no_number_is_cut(width: int, titles: list[str]) -> None:
    charges = {Destination.SEGMENT: parse_prices("0.012", "USD"), Destination.MIXPANEL: EVENTS}
    found = all_findings_of(MORE * 2_000, EVERYTHING, ENGAGEMENT)
    printed = _all_printed(found, charges, width=width, terminal=True)
    assert [line.strip() for line in printed.splitlines() if re.match(r"(Cost|Other|Events( at|\s*$))", line)] == titles
    assert ("Events by kind: engagement-only, Mixpanel" in printed) == (width < 200)
    assert "…" not in printed
    assert max(len(line) for line in printed.splitlines() if line.startswith("  ")) <= width


def test_engagements_lost_are_told_for_each_destination() -> None:
    printed = _all_printed(all_findings_of(TRAFFIC, EVERYTHING, LOSSY), {})
    assert printed.count("ENGAGEMENTS LOST: lossy.yaml loses 1 engagement at ") == 2


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (1, 2, "50 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 3000, "0.1 %"),
        (2999, 3000, "99.9 %"),
        (-1, 3000, "-0.1 %"),
        (1, 0, "0 %"),
        (-5, 10, "-50 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_all(part: int, whole: int, told: str) -> None:
    assert share(part, whole) == told
