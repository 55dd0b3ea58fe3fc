"""Print the closing tables of a demo, and its last line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from pipeline.output.console import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from pipeline.core.presets import Preset
    from pipeline.local.demo_accounts import Arrivals, Check, Sum
    from pipeline.local.demo_presets import PresetComparison
    from pipeline.output.console import TerminalConsole


PRICE: Final = 0.01
"""A price to compare with, in dollars; yours is in your contract."""
_NARROW: Final = 80
_NUMBER: Final = re.compile(r"[0-9][0-9,.]*%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that is told at the end. ``redelivered``: records that stand in their topic more than once."""

    sums: Sequence[Sum]
    checks: Sequence[Check]
    comparison: PresetComparison
    arrivals: Arrivals
    preset: Preset
    events: int
    seconds: float
    redelivered: int
    killed: Sequence[str]

    @property
    def adds_up(self) -> bool:
        """Tell whether every sum and every check is right."""
        return all(each.adds_up for each in self.sums) and all(each.holds for each in self.checks)


def _verdict(*, right: bool) -> Text:
    return words("yes", "green") if right else words("NO", "bold red")


def _sums(outcome: Outcome) -> Table:
    table = Table(title="It must add up", title_justify="left")
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
        table.add_row(each.place, f"{total:,} {name}", terms, _verdict(right=each.adds_up))
    return table


def _checks(outcome: Outcome) -> Table:
    table = Table(title="Checked one by one", title_justify="left")
    table.add_column("claim")
    table.add_column("exceptions", justify="right")
    table.add_column("holds")
    for each in outcome.checks:
        table.add_row(each.claim, f"{each.exceptions:,}", _verdict(right=each.holds))
    return table


def _presets(outcome: Outcome) -> Table:
    tallies = outcome.comparison.tallies
    table = Table(title="What the filters change: the same traffic under each preset", title_justify="left")
    table.add_column("preset")
    for name in ("events sent on", "share", "of them Sent", "users (MTUs)", "share", f"at ${PRICE} each"):
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
    """Let words be folded where the terminal is narrow, and no number ever be cut; there, without lines."""
    if width < _NARROW:
        table.box = None
    for column in table.columns:
        column.overflow = "fold"
        column.min_width = max(
            (len(number) for cell in column.cells for number in _NUMBER.findall(str(cell))), default=1
        )
    return table


def print_report(console: TerminalConsole, outcome: Outcome) -> None:
    """Print everything; the last line says whether it adds up."""
    console.print()
    for table in (_presets(outcome), _sums(outcome), _checks(outcome)):
        console.print(_fitted(table, console.width))
    rate = outcome.events / max(outcome.seconds, 0.001)
    arrivals = outcome.arrivals
    console.print(
        f"{outcome.events:,} events in {outcome.seconds:.1f} s: {rate:,.0f} events/s on this machine, which also ran "
        f"generator, broker and stand-in. {arrivals.requests:,} requests to the stand-in.",
    )
    if outcome.killed or arrivals.faults:
        faults = ", ".join(f"{count} x {name}" for name, count in arrivals.faults.items()) or "none"
        again = arrivals.thrown_away.get("duplicate", 0)
        console.print(
            f"Killed and restarted: {', '.join(outcome.killed) or 'nobody'}. Faults of the stand-in: {faults}. "
            f"Written again by the processor: {outcome.redelivered:,} records; known to the stand-in already: "
            f"{again:,}. The workers' counters began anew, so they are not compared.",
        )
    wrong = [each.place for each in outcome.sums if not each.adds_up]
    wrong += [each.claim for each in outcome.checks if not each.holds]
    if outcome.adds_up:
        told = f" nothing lost, nothing counted twice ({len(arrivals.users):,} records)."
        verdict = words("It adds up:", "green") + words(told)
    else:
        verdict = words("It does not add up:", "bold red") + words(f" {'; '.join(wrong)}")
    console.print(verdict, soft_wrap=True)
