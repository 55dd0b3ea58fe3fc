"""Print the findings as tables, without colours and borders if standard output is not a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD

from pipeline.output.console import words
from pipeline.tools.what_if.cost_tables import costs, costs_apart, costs_by_destination
from pipeline.tools.what_if.kind_tables import kinds, kinds_apart
from pipeline.tools.what_if.words import losses, notes, price_words, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from pipeline.core.classification import Destination
    from pipeline.output.console import TerminalConsole
    from pipeline.tools.what_if.findings import Findings
    from pipeline.tools.what_if.prices import Prices

_ANY_WIDTH: Final = 10_000
_HINT: Final = "To see the cost in money, add --price, for example --price 0.01."
_EVENT_HINT: Final = "For the cost of an event plan, add --price-event, for example --price-event 0.00028."


def print_findings(
    console: TerminalConsole, destinations: Sequence[Findings], charges: Mapping[Destination, Prices]
) -> None:
    """Print all findings; `charges` has the prices of each destination that has one."""
    console.print(words(f"{span(destinations[0].traffic)}."), soft_wrap=True)
    console.print()
    by_destination = costs_by_destination(destinations, charges)
    for table in _fitting(console, [costs(destinations, charges)], costs_apart(destinations, charges), by_destination):
        _print(console, table)
    lost = list(losses(destinations))
    for line in lost:
        console.print(words(f"ENGAGEMENTS LOST: {line}", style="bold red"), soft_wrap=True)
    if lost:
        console.print()
    for table in _fitting(console, [kinds(destinations)], kinds_apart(destinations)):
        _print(console, table)
    for note in (*notes(destinations), *price_words(destinations, charges), *_hints(destinations, charges)):
        console.print(words(note), soft_wrap=True)


def _hints(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Iterator[str]:
    unpriced = [findings.bill for findings in destinations if findings.destination not in charges]
    if any(not bill.has_event_plan for bill in unpriced) or (unpriced and len(unpriced) == len(destinations)):
        yield _HINT
    if any(bill.has_event_plan for bill in unpriced):
        yield _EVENT_HINT


def _fitting(console: TerminalConsole, *layouts: Sequence[Table]) -> Sequence[Table]:
    """Return the first of the layouts for which the terminal is wide enough, else the last."""
    return next((tables for tables in layouts if all(_fits(console, table) for table in tables)), layouts[-1])


def _fits(console: TerminalConsole, table: Table) -> bool:
    table.box = SIMPLE_HEAD if console.is_terminal else None
    wanted = console.measure(table, options=console.options.update_width(_ANY_WIDTH)).maximum
    return wanted <= console.width


def _print(console: TerminalConsole, table: Table) -> None:
    table.title_justify = "left"
    table.title_style = "bold"
    table.box = SIMPLE_HEAD if console.is_terminal else None
    if console.is_terminal:
        console.print(table)
    else:
        # No trailing spaces and no folded lines, so that programs can read the output.
        with console.capture() as capture:
            console.print(table)
        for row in capture.get().split("\n"):  # the last one is empty and separates the tables
            console.print(words(row.rstrip()), soft_wrap=True)
