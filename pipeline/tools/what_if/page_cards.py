"""The cards at the top of the page: one for each set of rules and destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.tools.what_if.findings import amount_of, cost_of
from pipeline.tools.what_if.headline import figure_of, unit_of
from pipeline.tools.what_if.page_parts import colour, swatch, text
from pipeline.tools.what_if.prices import Unit
from pipeline.tools.what_if.words import compared, engagements, guardrail_name, number, share, thousands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.findings import Findings, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices


def cards(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> str:
    """Return the cards. Those of one set of rules stand next to each other if there are several destinations."""
    found = [
        _card(findings, index, charges, is_named=len(destinations) > 1)
        for index, _ in enumerate(destinations[0].sets)
        for findings in destinations
    ]
    paired = " paired" * (len(destinations) > 1)
    return f'<div class="cards{paired}">{"".join(found)}</div>'


def _card(findings: Findings, index: int, charges: Mapping[Destination, Prices], *, is_named: bool) -> str:
    found, unit = findings.sets[index], unit_of(findings, charges)
    prices = charges.get(findings.destination)
    days = [month.first_day for month in findings.months]
    widest = max((amount_of(unit, each, days) for each in findings.sets), default=0)
    width = 100 * amount_of(unit, found, days) / max(widest, 1)
    cost = {} if prices is None else {"cost": prices.format(cost_of(prices, found, days))}
    facts = {**cost, **dict(_facts(findings, found, unit))}
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items())
    name = f'<p class="soft at">{text(findings.bill.title)}</p>' if is_named else ""
    return (
        f'<article class="card">{name}<div class="head">{swatch(index)}<h3>{text(compared(findings, found))}</h3></div>'
        f'<p class="big">{figure_of(unit, found)} <small>{unit}s</small></p>{_verdict(findings, found, unit)}'
        f'<div class="meter" aria-hidden="true"><i style="width:{width:.1f}%;background:{colour(index)}"></i></div>'
        f"<dl>{listed}</dl></article>"
    )


def _facts(findings: Findings, found: RuleSetFindings, unit: Unit) -> Iterator[tuple[str, str]]:
    if unit is Unit.EVENT:
        yield "MTUs", number(found.all_users)
    else:
        yield "events kept", f"{found.kept:,}"
    if findings.bill.has_event_plan:
        yield "events that bill no user", f"{findings.exempt(found):,}"
    guardrail, part = guardrail_name([findings]), thousands(findings, found, findings.months)
    if guardrail is not None and part is not None:
        yield f"{guardrail} (guardrail)", part
    if found is not findings.baseline:
        yield "users no longer seen", number(found.never_seen)


def _verdict(findings: Findings, found: RuleSetFindings, unit: Unit) -> str:
    if found is findings.baseline:
        return '<p class="verdict soft">reference for the others</p>'
    days = [month.first_day for month in findings.months]
    base, amount = (amount_of(unit, each, days) for each in (findings.baseline, found))
    saved = base - amount
    change = f"{saved:,} saved ({share(saved, base)})" if saved >= 0 else f"{-saved:,} more ({share(-saved, base)})"
    tone = "good" if saved > 0 else "soft"
    lost = sum(found.engagements_lost.values())
    warning = f'<span class="bad">⚠ {engagements(lost)} lost</span>'
    relief = '<span class="good">✓ no engagement lost</span>'
    return f'<p class="verdict"><span class="{tone}">{change}</span><br>{warning if lost else relief}</p>'
