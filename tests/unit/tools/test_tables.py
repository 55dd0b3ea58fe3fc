from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.output.console import TerminalConsole
from pipeline.tools.what_if.prices import Prices, parse_prices
from pipeline.tools.what_if.tables import print_findings
from pipeline.tools.what_if.words import share
from tests.builders import RawMessage
from tests.unit.tools.test_counting import CLICKED, SENT, TRACKED, TRAFFIC
from tests.unit.tools.traffic import ENGAGEMENT, EVERYTHING, findings_of, happened, rule_set

if TYPE_CHECKING:
    from pipeline.tools.what_if.findings import Findings

LOSSY = rule_set("rules:\n  - {when: {action: clicked}, then: drop}\n", "lossy.yaml")


def _printed(findings: Findings, prices: Prices | None = None, width: int = 1000, *, terminal: bool = False) -> str:
    written = io.StringIO()
    console = TerminalConsole(
        file=written, width=width, force_terminal=terminal, color_system=None, legacy_windows=False
    )
    print_findings(console, [findings], {} if prices is None else {findings.destination: prices})
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
