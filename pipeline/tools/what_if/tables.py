"""Print the findings as tables, without colours and borders if standard output is not a terminal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pipeline.output.console import stacked, words
from pipeline.tools.what_if.words import (
    compared,
    losses,
    month_label,
    month_name,
    notes,
    number,
    share,
    short_kind,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from pipeline.output.console import TerminalConsole
    from pipeline.tools.what_if.findings import Findings, KindCount, Month, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices

_ANY_WIDTH: Final = 10_000
_NONE: Final = "-"
_ALL_MONTHS: Final = "all months"
_USERS: Final = ("MTUs", "saved", "%")
_MONEY: Final = ("cost", "saved")
_EFFECTS: Final = ("events kept", "engagements lost", "users no longer seen")


def print_findings(console: TerminalConsole, findings: Findings, prices: Prices | None) -> None:
    """Print all findings."""
    console.print(words(f"{span(findings)}."), soft_wrap=True)
    console.print()
    for table in _fitting(console, _costs(findings, prices), _costs_apart(findings, prices)):
        _print(console, table)
    for line in losses(findings):
        console.print(words(f"ENGAGEMENTS LOST: {line}", style="bold red"), soft_wrap=True)
    if any(found.engagements_lost for found in findings.others):
        console.print()
    for table in _fitting(console, _kinds(findings, findings.sets, "Events by kind"), _kinds_apart(findings)):
        _print(console, table)
    for note in notes(findings):
        console.print(words(note), soft_wrap=True)
    if prices is None:
        console.print(words("To see the cost in money, add --price, for example --price 0.01."), soft_wrap=True)
    else:
        console.print(words(f"Price: {prices}."), soft_wrap=True)


def _fitting(console: TerminalConsole, whole: Table, parts: Sequence[Table]) -> Sequence[Table]:
    """Return one table if the terminal is wide enough for it, else its parts."""
    whole.box = SIMPLE_HEAD if console.is_terminal else None
    wanted = console.measure(whole, options=console.options.update_width(_ANY_WIDTH)).maximum
    return [whole] if wanted <= console.width else parts


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


def _costs(findings: Findings, prices: Prices | None) -> Table:
    """Return one table of users, money and other effects."""
    table = _table(findings, "Cost", [*_USERS, *(_MONEY if prices is not None else ()), *_EFFECTS])
    months = findings.months
    for found in findings.sets:
        if len(months) > 1:
            for index, month in enumerate(months):
                name = compared(findings, found) if index == 0 else ""
                cells = _users(findings, found, (month,), prices)
                table.add_row(words(name), month_label(month), *cells, *[""] * len(_EFFECTS))
        head = [words(compared(findings, found))] if len(months) <= 1 else [words(""), words(_ALL_MONTHS)]
        cells = _users(findings, found, months, prices)
        table.add_row(*head, *cells, *_effects(findings, found), end_section=len(months) > 1)
    return table


def _costs_apart(findings: Findings, prices: Prices | None) -> Sequence[Table]:
    """Return a table of users and money, and another of other effects."""
    users = _table(findings, "Cost", [*_USERS, *(_MONEY if prices is not None else ())])
    effects = _table(findings, "Other effects", _EFFECTS, by_month=False)
    months = findings.months
    for found in findings.sets:
        name = words(compared(findings, found))
        if len(months) > 1:
            for month in months:
                users.add_row(name, month_name(month), *_users(findings, found, (month,), prices))
                name = words("")
        head = [name] if len(months) <= 1 else [name, words(_ALL_MONTHS)]
        users.add_row(*head, *_users(findings, found, months, prices), end_section=len(months) > 1)
        effects.add_row(words(compared(findings, found)), *_effects(findings, found))
    return users, effects


def _table(findings: Findings, title: str, numbers: Sequence[str], *, by_month: bool = True) -> Table:
    months = findings.months
    if by_month and len(months) == 1:
        title += f" in {month_label(months[0])}"
    table = Table(title=title)
    table.add_column("rules", overflow="fold")
    if by_month and len(months) > 1:
        table.add_column("month", no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _effects(findings: Findings, found: RuleSetFindings) -> Sequence[str | Text]:
    if found is findings.baseline:
        return f"{found.kept:,}", _NONE, _NONE
    lost = sum(found.engagements_lost.values())
    return f"{found.kept:,}", words(f"{lost:,}", style="bold red" if lost else ""), number(found.never_seen)


def _users(findings: Findings, found: RuleSetFindings, months: Sequence[Month], prices: Prices | None) -> Iterator[str]:
    days = [month.first_day for month in months]
    users, base = (sum(each.users[day].value for day in days) for each in (found, findings.baseline))
    sign = "" if findings.is_exact else "~"
    is_baseline = found is findings.baseline
    yield f"{sign}{users:,}"
    yield _NONE if is_baseline else f"{sign}{base - users:,}"
    yield _NONE if is_baseline else share(base - users, base)
    if prices is not None:
        cost, base_cost = (sum_of(prices, each, days) for each in (found, findings.baseline))
        yield prices.format(cost)
        yield _NONE if is_baseline else prices.format(base_cost - cost)


def sum_of(prices: Prices, found: RuleSetFindings, days: Sequence[int]) -> Decimal:
    """Return the cost of the months that begin on these days."""
    return sum((prices.cost(found.users[day].value) for day in days), Decimal(0))


def _kinds_apart(findings: Findings) -> Sequence[Table]:
    titles = [(found, f"Events by kind: {compared(findings, found)}") for found in findings.sets]
    return [_kinds(findings, (found,), title) for found, title in titles]


def _kinds(findings: Findings, sets: Sequence[RuleSetFindings], title: str) -> Table:
    table = Table(title=title, show_footer=True)
    unusable = sum(findings.unusable.values())
    table.add_column("kind", footer=f"all {findings.read:,} messages", no_wrap=True)
    for found in sets:
        above = [] if len(sets) == 1 else [words(compared(findings, found))]
        totals = (found.kept, found.dropped + findings.empty, found.rejected + unusable)
        for word, total in zip(("kept", "dropped", "rejected"), totals, strict=True):
            table.add_column(stacked(*above, words(word)), footer=f"{total:,}", justify="right", no_wrap=True)
            above = [words("")] * len(above)
    for kind in findings.kinds:
        counts = [found.kinds.get(kind) for found in sets]
        table.add_row(words(short_kind(kind)), *(cell for count in counts for cell in _cells(count)))
    if findings.empty:
        table.add_row("(no body)", *(["", f"{findings.empty:,}", ""] * len(sets)))
    if unusable:
        table.add_row("(cannot be decoded)", *(["", "", f"{unusable:,}"] * len(sets)))
    return table


def _cells(count: KindCount | None) -> tuple[str, str, str]:
    if count is None:
        return "", "", ""
    return _cell(count.kept), _cell(count.dropped), _cell(count.rejected)


def _cell(events: int) -> str:
    return f"{events:,}" if events else _NONE
