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


class _Row(NamedTuple):
    """One row; `is_whole` if it has all months of the rules at the destination."""

    heads: tuple[str, str, str]
    findings: Findings
    found: RuleSetFindings
    months: Sequence[Month]
    is_whole: bool
    ends_set: bool


def costs(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Table:
    """Return one table of users, money and other effects."""
    effects = _effect_names(destinations)
    table = _table(destinations, "Cost", [*_user_names(destinations, charges), *effects])
    for row in _rows(destinations, month_label):
        cells = _users(destinations, row, charges)
        others = _effects(destinations, row) if row.is_whole else [""] * len(effects)
        table.add_row(*_heads(destinations, row), *cells, *others, end_section=row.ends_set)
    return table


def costs_apart(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Sequence[Table]:
    """Return a table of users and money, and another of other effects."""
    users = _table(destinations, "Cost", _user_names(destinations, charges))
    effects = _table(destinations, "Other effects", _effect_names(destinations), by_month=False)
    for row in _rows(destinations, month_name):
        users.add_row(*_heads(destinations, row), *_users(destinations, row, charges), end_section=row.ends_set)
        if row.is_whole:
            is_first = row.findings is destinations[0]
            name = words(compared(row.findings, row.found) if is_first else "")
            place = [words(row.findings.bill.title)] if len(destinations) > 1 else []
            effects.add_row(name, *place, *_effects(destinations, row), end_section=row.ends_set)
    return users, effects


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


def _user_names(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Sequence[str]:
    guardrail = guardrail_name(destinations)
    return (*_USERS, *([guardrail] if guardrail else ()), *(_MONEY if charges else ()))


def _users(destinations: Sequence[Findings], row: _Row, charges: Mapping[Destination, Prices]) -> Iterator[str]:
    findings, found = row.findings, row.found
    days = [month.first_day for month in row.months]
    users, base = (sum(each.users[day].value for day in days) for each in (found, findings.baseline))
    sign = "" if findings.traffic.is_exact else "~"
    is_baseline = found is findings.baseline
    yield f"{sign}{users:,}"
    yield _NONE if is_baseline else f"{sign}{base - users:,}"
    yield _NONE if is_baseline else share(base - users, base)
    if guardrail_name(destinations):
        yield thousands(findings, found, row.months) or _NONE
    prices = charges.get(findings.destination)
    if prices is not None:
        cost, base_cost = (cost_of(prices, each, days) for each in (found, findings.baseline))
        yield prices.format(cost)
        yield _NONE if is_baseline else prices.format(base_cost - cost)
    elif charges:
        yield from (_NONE, _NONE)


def _effect_names(destinations: Sequence[Findings]) -> Sequence[str]:
    exempt = ["of them exempt"] if any(findings.bill.has_event_plan for findings in destinations) else []
    return "events kept", *exempt, "engagements lost", "users no longer seen"


def _effects(destinations: Sequence[Findings], row: _Row) -> Iterator[str | Text]:
    findings, found = row.findings, row.found
    yield f"{found.kept:,}"
    if any(each.bill.has_event_plan for each in destinations):
        yield f"{findings.exempt(found):,}" if findings.bill.has_event_plan else _NONE
    if found is findings.baseline:
        yield from (_NONE, _NONE)
        return
    lost = sum(found.engagements_lost.values())
    yield words(f"{lost:,}", style="bold red" if lost else "")
    yield number(found.never_seen)
