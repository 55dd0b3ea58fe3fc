"""Print the closing tables and the last line of a demo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from pipeline.output.console import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

    from pipeline.core.classification import Destination
    from pipeline.core.presets import Preset
    from pipeline.local.demo_accounts import Arrivals, Check, Sum
    from pipeline.local.demo_presets import PresetComparison
    from pipeline.output.console import TerminalConsole


PRICE: Final = 0.01
"""An example price in dollars, for comparison; your own price is in your contract."""
_NARROW: Final = 80
_NUMBER: Final = re.compile(r"[0-9][0-9,.]*%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The results that are printed at the end. ``arrivals`` are those at each destination, by its title.

    ``redelivered``: records that were written more than once.
    """

    sums: Sequence[Sum]
    checks: Sequence[Check]
    comparison: PresetComparison
    arrivals: Mapping[str, Arrivals]
    preset: Preset
    events: int
    seconds: float
    redelivered: int
    killed: Sequence[str]

    @property
    def adds_up(self) -> bool:
        """Whether every sum adds up and every check holds."""
        return all(each.adds_up for each in self.sums) and all(each.holds for each in self.checks)


def _verdict(*, right: bool) -> Text:
    return words("yes", "green") if right else words("NO", "bold red")


def _sums(outcome: Outcome) -> Table:
    table = Table(title="Sums", title_justify="left")
    table.add_column("where")
    table.add_column("total", justify="right")
    table.add_column("=", justify="left")
    table.add_column("adds up")
    for each in outcome.sums:
        name, total = each.total
        first, *rest = each.parts
        terms = f"{first[1]:,} {first[0]}"
        for part, number in rest:
            terms += f" {'-' if number < 0 or name.startswith('distinct') else '+'} {abs(number):,} {part}"
        table.add_row(each.where, f"{total:,} {name}", terms, _verdict(right=each.adds_up))
    return table


def _checks(outcome: Outcome) -> Table:
    table = Table(title="Checks", title_justify="left")
    table.add_column("claim")
    table.add_column("exceptions", justify="right")
    table.add_column("holds")
    for each in outcome.checks:
        table.add_row(each.claim, f"{each.exceptions:,}", _verdict(right=each.holds))
    return table


def _presets(outcome: Outcome, destination: Destination) -> Table:
    tallies = outcome.comparison.tallies[destination]
    title = f"Presets for {destination.capitalize()}: the same traffic under each of them"
    table = Table(title=title, title_justify="left")
    table.add_column("preset")
    for name in ("events forwarded", "share", "of which Sent", "users (MTUs)", "share", f"at ${PRICE} each"):
        table.add_column(name, justify="right")
    most_users = max(len(tally.users) for tally in tallies.values())
    for preset, tally in tallies.items():
        table.add_row(
            words(preset, "bold") + words(" (this run)") if preset == outcome.preset else str(preset),
            f"{tally.events:,}",
            f"{tally.events / max(1, outcome.events):.0%}",
            f"{tally.sent:,}",
            f"{len(tally.users):,}",
            f"{len(tally.users) / max(1, most_users):.0%}",
            f"${len(tally.users) * PRICE:,.2f}",
        )
    return table


def _fitted(table: Table, width: int) -> Table:
    """Fit a table to the width: words fold, numbers are never cut, and a narrow terminal gets no borders."""
    if width < _NARROW:
        table.box = None
    for column in table.columns:
        column.overflow = "fold"
        column.min_width = max(
            (len(number) for cell in column.cells for number in _NUMBER.findall(str(cell))), default=1
        )
    return table


def _records(outcome: Outcome) -> str:
    return ", ".join(f"{len(arrivals.users):,} records at {title}" for title, arrivals in outcome.arrivals.items())


def print_report(console: TerminalConsole, outcome: Outcome) -> None:
    """Print all tables; the last line states whether the counts add up."""
    console.print()
    presets = (_presets(outcome, destination) for destination in outcome.comparison.tallies)
    for table in (*presets, _sums(outcome), _checks(outcome)):
        console.print(_fitted(table, console.width))
    rate = outcome.events / max(outcome.seconds, 0.001)
    console.print(
        f"{outcome.events:,} events in {outcome.seconds:.1f} s: {rate:,.0f} events/s on this machine, which also ran "
        "the generator, the broker and the stand-ins.",
    )
    for title, arrivals in outcome.arrivals.items():
        faults = ", ".join(f"{count} x {name}" for name, count in arrivals.faults.items()) or "none"
        console.print(
            f"{title}'s stand-in: {arrivals.requests:,} requests; faults: {faults}; duplicates dropped: "
            f"{arrivals.thrown_away.get('duplicate', 0):,}.",
        )
    if outcome.killed or any(arrivals.faults for arrivals in outcome.arrivals.values()):
        console.print(
            f"Killed and restarted: {', '.join(outcome.killed) or 'none'}. Records written again by the processors: "
            f"{outcome.redelivered:,}. The workers' counters are not compared, because a restarted worker counts from "
            "0.",
        )
    wrong = [each.where for each in outcome.sums if not each.adds_up]
    wrong += [each.claim for each in outcome.checks if not each.holds]
    if outcome.adds_up:
        summary = " nothing lost, nothing counted twice (" + _records(outcome) + ")."
        verdict = words("It adds up:", "green") + words(summary)
    else:
        verdict = words("It does not add up:", "bold red") + words(f" {'; '.join(wrong)}")
    console.print(verdict, soft_wrap=True)
