from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.core.classification import Destination
from pipeline.core.presets import Preset
from pipeline.local.demo_accounts import Arrivals, Check, Sum
from pipeline.local.demo_presets import PresetComparison
from pipeline.local.demo_report import Outcome, print_report
from pipeline.output.console import TerminalConsole

if TYPE_CHECKING:
    from collections.abc import Sequence

RIGHT = Sum(where="sink", total=("received", 1_000), parts=(("accepted", 1_000), ("in flight", 0)))
WRONG = Sum(where="processor", total=("received", 3), parts=(("forwarded", 1), ("dropped", 1)))
MINUS = Sum(where="destination", total=("distinct ids", 1), parts=(("forwarded", 2), ("repeated ids", -1)))


def outcome(*sums: Sum, exceptions: int = 0, killed: Sequence[str] = (), faults: bool = False) -> Outcome:
    comparison = PresetComparison()
    tally = comparison.tallies[Destination.SEGMENT][Preset.KEEP_ALL]
    tally.events, tally.sent, tally.users = 2, 1, {b"u-1", b"u-2"}
    return Outcome(
        sums=sums,
        checks=[Check(claim="nobody was forgotten", exceptions=exceptions)],
        comparison=comparison,
        arrivals={
            "Segment": Arrivals(users={"a": "u-1"}, thrown_away={}, faults={"slow": 2} if faults else {}, requests=4),
            "Mixpanel": Arrivals(users={}, thrown_away={}, faults={}, requests=0),
        },
        preset=Preset.KEEP_ALL,
        events=4,
        seconds=2.0,
        redelivered=3,
        killed=killed,
    )


def printed(told: Outcome, width: int = 120) -> str:
    out = io.StringIO()
    print_report(TerminalConsole(file=out, width=width), told)
    return out.getvalue()


def test_the_last_line_says_that_it_adds_up() -> None:
    assert printed(outcome(RIGHT)).splitlines()[-1].startswith("It adds up:")


def test_the_last_line_says_what_does_not_add_up() -> None:
    told = outcome(RIGHT, WRONG, exceptions=2)
    assert not told.adds_up
    assert printed(told).splitlines()[-1] == "It does not add up: processor; nobody was forgotten"


def test_sums_are_written_with_their_signs() -> None:
    text = printed(outcome(RIGHT, MINUS))
    assert "1,000 accepted + 0 in flight" in text
    assert "2 forwarded - 1 repeated ids" in text


def test_presets_are_shown_with_their_events_and_users_and_the_preset_of_the_run_is_marked() -> None:
    row = next(line for line in printed(outcome(RIGHT)).splitlines() if "(this run)" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "keep-all (this run)",
        "2",
        "50%",
        "1",
        "2",
        "100%",
        "$0.02",
    ]


def test_what_was_done_to_the_run_is_told() -> None:
    text = printed(outcome(RIGHT, killed=["processor"], faults=True))
    assert "Killed and restarted: processor" in text
    assert "2 x slow" in text


@pytest.mark.parametrize("width", [40, 50, 60, 80])
def test_no_number_is_cut_on_a_narrow_terminal(width: int) -> None:
    sink = Sum(
        where="destination",
        total=("distinct ids", 12_345_678),
        parts=(("forwarded", 12_345_679), ("repeated ids", -1), ("rejected by the sink", 0)),
    )
    told = outcome(RIGHT, sink, exceptions=9_876_543)
    told.comparison.tallies[Destination.MIXPANEL][Preset.KEEP_ALL].events = 23_456_789
    text = printed(told, width)
    assert [n for n in ("12,345,678", "12,345,679", "9,876,543", "23,456,789", "1,000") if n not in text] == []
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()[:-1]) <= width
