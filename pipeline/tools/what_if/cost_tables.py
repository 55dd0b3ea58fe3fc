"""The tables of users, money and other effects, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich.table import Table

from pipeline.output.console import words
from pipeline.tools.what_if.findings import cost_of
from pipeline.tools.what_if.words import (
    compared,
    guardrail_name,
    month_label,
    month_name,
    number,
    share,
    thousands,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.text import Text

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.findings import Findings, Month, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices

_NONE: Final = "-"
_ALL_MONTHS: Final = "all months"
_USERS: Final = ("MTUs", "saved", "%")
_MONEY: Final = ("cost", "saved")
_EFFECTS: Final = ("engagements lost", "users no longer seen")


class _Row(NamedTuple):
    """One row; `is_whole` if it has all months of the rules at the destination."""

    heads: tuple[str, str, str]
    findings: Findings
    found: RuleSetFindings
    months: Sequence[Month]
    is_whole: bool
    ends_set: bool

    @property
    def days(self) -> Sequence[int]:
        """The first days of the months."""
        return [month.first_day for month in self.months]


def costs(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Table:
    """Return one table of users, money and other effects."""
    guardrail = guardrail_name(destinations)
    names = [*_USERS, *([guardrail] if guardrail else ()), *(_MONEY if charges else ())]
    counts, effects = _count_names(destinations), _EFFECTS
    table = _table(destinations, "Cost", [*names, *counts, *effects])
    for row in _rows(destinations, month_label):
        guarded = [thousands(row.findings, row.found, row.months) or _NONE] if guardrail else []
        others = [*_counts(destinations, row), *_effects(row)] if row.is_whole else [""] * len(counts + effects)
        cells = (*_users(row), *guarded, *_money(row, charges), *others)
        table.add_row(*_heads(destinations, row), *cells, end_section=row.ends_set)
    return table


def costs_apart(
    destinations: Sequence[Findings], charges: Mapping[Destination, Prices], where: str = ""
) -> Sequence[Table]:
    """Return narrower tables: of users and money, of events where some are exempt, and of other effects.

    `where` is added to the titles.
    """
    guardrail, counts = guardrail_name(destinations), _count_names(destinations)
    users = _table(destinations, f"Cost{where}", [*_USERS, *(_MONEY if charges else ())])
    events = _table(destinations, f"Events{where}", [*counts, *([guardrail] if guardrail else ())], by_month=False)
    names = _EFFECTS if guardrail else (*counts, *_EFFECTS)
    effects = _table(destinations, f"Other effects{where}", names, by_month=False)
    for row in _rows(destinations, month_name):
        cells = (*_users(row), *_money(row, charges))
        users.add_row(*_heads(destinations, row), *cells, end_section=row.ends_set)
        if row.is_whole:
            heads = list(_heads_without_month(destinations, row))
            counted = list(_counts(destinations, row))
            guarded = thousands(row.findings, row.found, row.months) or _NONE
            events.add_row(*heads, *counted, guarded, end_section=row.ends_set)
            others = _effects(row) if guardrail else (*counted, *_effects(row))
            effects.add_row(*heads, *others, end_section=row.ends_set)
    return (users, events, effects) if guardrail else (users, effects)


def costs_by_destination(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Sequence[Table]:
    """Return the narrower tables of each destination."""
    found: list[Table] = []
    for findings in destinations:
        own = {each: prices for each, prices in charges.items() if each is findings.destination}
        found += costs_apart([findings], own, f" at {findings.bill.title}" if len(destinations) > 1 else "")
    return found


def _has_months(destinations: Sequence[Findings]) -> bool:
    """Return whether rows are about different months."""
    labels = {month_label(month) for findings in destinations for month in findings.months}
    return len(labels) > 1


def _rows(destinations: Sequence[Findings], label: Callable[[Month], str]) -> Iterator[_Row]:
    for index, first in enumerate(destinations[0].sets):
        name = compared(destinations[0], first)
        for findings in destinations:
            found, place, months = findings.sets[index], findings.bill.title, findings.months
            ends_set = findings is destinations[-1] and (len(destinations) > 1 or len(months) > 1)
            if len(months) > 1:
                for month in months:
                    yield _Row((name, place, label(month)), findings, found, (month,), is_whole=False, ends_set=False)
                    name = place = ""
                yield _Row(("", "", _ALL_MONTHS), findings, found, months, is_whole=True, ends_set=ends_set)
            else:
                when = "".join(map(label, months))
                yield _Row((name, place, when), findings, found, months, is_whole=True, ends_set=ends_set)
                name = ""


def _heads(destinations: Sequence[Findings], row: _Row) -> Iterator[Text]:
    name, place, month = row.heads
    yield words(name)
    if len(destinations) > 1:
        yield words(place)
    if _has_months(destinations):
        yield words(month)


def _heads_without_month(destinations: Sequence[Findings], row: _Row) -> Iterator[Text]:
    """Yield the heads of a row that is the only one of its rules at its destination."""
    yield words(compared(row.findings, row.found) if row.findings is destinations[0] else "")
    if len(destinations) > 1:
        yield words(row.findings.bill.title)


def _table(destinations: Sequence[Findings], title: str, numbers: Sequence[str], *, by_month: bool = True) -> Table:
    months = [month for findings in destinations for month in findings.months]
    has_months = _has_months(destinations)
    if by_month and months and not has_months:
        title += f" in {month_label(months[0])}"
    table = Table(title=title)
    table.add_column("rules", overflow="fold")
    if len(destinations) > 1:
        table.add_column("destination", no_wrap=True)
    if by_month and has_months:
        table.add_column("month", no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _users(row: _Row) -> Iterator[str]:
    findings, found, days = row.findings, row.found, row.days
    users, base = (sum(each.users[day].value for day in days) for each in (found, findings.baseline))
    sign = "" if findings.traffic.is_exact else "~"
    is_baseline = found is findings.baseline
    yield f"{sign}{users:,}"
    yield _NONE if is_baseline else f"{sign}{base - users:,}"
    yield _NONE if is_baseline else share(base - users, base)


def _money(row: _Row, charges: Mapping[Destination, Prices]) -> Iterator[str]:
    if not charges:
        return
    findings, found = row.findings, row.found
    prices = charges.get(findings.destination)
    if prices is None:
        yield from (_NONE, _NONE)
        return
    cost, base_cost = (cost_of(prices, each, row.days) for each in (found, findings.baseline))
    yield prices.format(cost)
    yield _NONE if found is findings.baseline else prices.format(base_cost - cost)


def _count_names(destinations: Sequence[Findings]) -> tuple[str, ...]:
    exempts = any(findings.bill.has_event_plan for findings in destinations)
    return ("events kept", "of them exempt") if exempts else ("events kept",)


def _counts(destinations: Sequence[Findings], row: _Row) -> Iterator[str]:
    yield f"{row.found.kept:,}"
    if len(_count_names(destinations)) > 1:
        yield f"{row.findings.exempt(row.found):,}" if row.findings.bill.has_event_plan else _NONE


def _effects(row: _Row) -> Sequence[str | Text]:
    findings, found = row.findings, row.found
    if found is findings.baseline:
        return _NONE, _NONE
    lost = sum(found.engagements_lost.values())
    return words(f"{lost:,}", style="bold red" if lost else ""), number(found.never_seen)
