"""The main result of the last set of rules, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.tools.what_if.findings import amount_of, cost_of
from pipeline.tools.what_if.prices import Unit
from pipeline.tools.what_if.words import engagements, listed, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.findings import Findings, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices


def headline(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> str:
    """Return the main result at every destination."""
    name = destinations[0].sets[-1].name
    if len(destinations[0].sets) == 1:
        return f"{name} costs {listed([_cost(each, charges) + _where(each, destinations) for each in destinations])}"
    changes = [_change(each, charges) + _where(each, destinations) for each in destinations]
    return f"{name} {listed([*changes, f'loses {_lost(destinations)}'])}"


def unit_of(findings: Findings, charges: Mapping[Destination, Prices]) -> Unit:
    """Return what is billed: what the price is for, else what the destination's usual plan bills."""
    prices = charges.get(findings.destination)
    return findings.bill.unit if prices is None else prices.unit


def figure_of(unit: Unit, found: RuleSetFindings) -> str:
    """Return the number of what is billed in all months."""
    return number(found.all_users) if unit is Unit.MTU else f"{found.kept:,}"


def _cost(findings: Findings, charges: Mapping[Destination, Prices]) -> str:
    unit = unit_of(findings, charges)
    return f"{figure_of(unit, findings.baseline)} {unit}s"


def _change(findings: Findings, charges: Mapping[Destination, Prices]) -> str:
    found, unit, prices = findings.sets[-1], unit_of(findings, charges), charges.get(findings.destination)
    days = [month.first_day for month in findings.months]
    base, amount = (amount_of(unit, each, days) for each in (findings.baseline, found))
    part = share(abs(base - amount), base)
    change = f"saves {part} of the {unit}s" if amount <= base else f"costs {part} more {unit}s"
    if prices is not None:
        money = cost_of(prices, findings.baseline, days) - cost_of(prices, found, days)
        change += f" ({prices.format(abs(money))})"
    return change


def _where(findings: Findings, destinations: Sequence[Findings]) -> str:
    return f" at {findings.bill.title}" if len(destinations) > 1 else ""


def _lost(destinations: Sequence[Findings]) -> str:
    """Return how many engagements are lost: one number if it is the same everywhere."""
    lost = [sum(findings.sets[-1].engagements_lost.values()) for findings in destinations]
    if len(set(lost)) == 1:
        return engagements(lost[0]) if lost[0] else "no engagement"
    return listed(
        [engagements(number) + _where(each, destinations) for each, number in zip(destinations, lost, strict=True)]
    )
