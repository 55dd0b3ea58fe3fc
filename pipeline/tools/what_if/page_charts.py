"""The charts of the page. Lines are SVG, which stretches; labels are HTML, which does not.

Every chart has its figures in a table or text next to it, so it is hidden from screen readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.tools.what_if.crowds import counted
from pipeline.tools.what_if.findings import amount_of
from pipeline.tools.what_if.groups import BITS, MEANINGS, Group, groups_of
from pipeline.tools.what_if.page_parts import (
    colour,
    heads,
    legend,
    line_style,
    nice_ticks,
    row,
    short_number,
    table,
    text,
)
from pipeline.tools.what_if.prices import Unit
from pipeline.tools.what_if.words import compared, day, month_label, number, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.tools.what_if.crowds import Estimate
    from pipeline.tools.what_if.findings import Findings, Month
    from pipeline.tools.what_if.prices import Prices

_MOST_COMBINATIONS: Final = 12
_MOST_DAYS: Final = 124
_LABELS: Final = 4
_CURVE_POINTS: Final = 60


def reasons_chart(findings: Findings) -> str:
    """Return the chart of users by the combination of event groups that bill them."""
    if not findings.reasons:
        return '<p class="soft">No event in the traffic counts.</p>'
    found = sorted(findings.reasons.items(), key=lambda each: -each[1].value)
    total = sum(estimate.value for _, estimate in found)
    highest = max((estimate.value for _, estimate in found), default=0)
    items = [
        _bar(_combination(bits), estimate, total, highest, engaged=bool(bits & BITS[Group.ENGAGED]))
        for bits, estimate in found[:_MOST_COMBINATIONS]
    ]
    rest = found[_MOST_COMBINATIONS:]
    if rest:
        others = sum(estimate.value for _, estimate in rest)
        items.append(
            f'<li><span>{len(rest)} other combinations</span><span class="bar"><i style="width:'
            f'{100 * others / max(highest, others):.2f}%"></i></span>{_figure(f"{others:,}", others, total)}</li>'
        )
    used = 0
    for bits, _ in found:
        used |= bits
    meanings = "; ".join(f"<b>{text(group)}</b>: {text(MEANINGS[group])}" for group in groups_of(used))
    return (
        '<ul class="key"><li class="engaged"><i></i>interacted with a message</li>'
        "<li><i></i>never interacted</li></ul>"
        f'<ul class="sets">{"".join(items)}</ul><p class="soft">{meanings}.</p>'
    )


def _combination(bits: int) -> str:
    names = [group.value for group in groups_of(bits)]
    return f"only {names[0]}" if len(names) == 1 else " + ".join(names)


def _bar(name: str, estimate: Estimate, total: int, highest: int, *, engaged: bool) -> str:
    width = 100 * estimate.value / highest
    mark = ' class="engaged"' if engaged else ""
    return (
        f"<li{mark}><span>{text(name)}</span>"
        f'<span class="bar"><i style="width:{width:.2f}%"></i></span>'
        f"{_figure(number(estimate), estimate.value, total)}</li>"
    )


def _figure(figure: str, part: int, total: int) -> str:
    return f'<span class="figure">{figure} <span>({share(part, total)})</span></span>'


def growth_chart(findings: Findings) -> str:
    """Return the chart of MTUs by day; each month begins at 0."""
    months = _latest(findings.months)
    begin = months[0].covered_from
    length = months[-1].covered_to + 1 - begin
    highest = max(found.users[month.first_day].value for found in findings.sets for month in months)
    ticks = nice_ticks(highest)
    lines = []
    for index, found in enumerate(findings.sets):
        for month in months:
            # One point at the end of each day, because counts are by day.
            points = [(max(month.covered_from, begin) - begin, 0)]
            points += [(each + 1 - begin, estimate.value) for each, estimate in found.growth[month.first_day]]
            points.append((month.covered_to + 1 - begin, found.users[month.first_day].value))
            lines.append(_line(index, len(findings.sets), [(100 * x / length, 100 * y / ticks[-1]) for x, y in points]))
    labels = [(100 * each / length, _day_label(begin + each)) for each in _spread(length)]
    drawn = _frame("".join(lines), [(100 * t / ticks[-1], short_number(t)) for t in ticks], labels, "day (UTC)")
    names = [compared(findings, found) for found in findings.sets]
    rows = [
        row(
            f"{day(each)}",
            [number(_at(found.growth[month.first_day], each)) for found in findings.sets],
        )
        for month in months
        for each in _days(findings, month)
    ]
    figures = table(heads(["end of", *names]), rows, caption="MTUs since the month began", wide=True)
    return f'{legend(names)}<div class="pair"><div>{drawn}</div><div class="figures">{figures}</div></div>'


def _latest(months: Sequence[Month]) -> Sequence[Month]:
    """Return the latest months that fit on a chart, and always the last one."""
    end = months[-1].covered_to
    return [month for month in months if end - month.covered_from < _MOST_DAYS] or months[-1:]


def _days(findings: Findings, month: Month) -> list[int]:
    return sorted({each for found in findings.sets for each, _ in found.growth[month.first_day]})


def _at(growth: Sequence[tuple[int, Estimate]], wanted: int) -> Estimate:
    return next((estimate for each, estimate in reversed(growth) if each <= wanted), counted(0))


def _spread(length: int) -> list[int]:
    step = max(1, -(-length // _LABELS))
    return list(range(0, length, step))


def _day_label(each: int) -> str:
    return f"{day(each):%d %b}"


def cost_chart(findings: Findings, prices: Prices | None) -> str:
    """Return the chart of cost: by what is billed if a price was given, else by price."""
    return _cost_by_price(findings) if prices is None else _cost_by_amount(findings, prices)


def _cost_by_amount(findings: Findings, prices: Prices) -> str:
    unit = prices.unit
    month = max(findings.months, key=lambda each: amount_of(unit, findings.baseline, [each.first_day]))
    points = [amount_of(unit, found, [month.first_day]) for found in findings.sets]
    widest = nice_ticks(max(*points, 1) * 1.1)
    highest = nice_ticks(float(prices.cost(widest[-1])))
    curve = [widest[-1] * step / _CURVE_POINTS for step in range(_CURVE_POINTS + 1)]

    def at(amount: float) -> tuple[float, float]:
        return 100 * amount / widest[-1], 100 * float(prices.cost(amount)) / highest[-1]

    dots = "".join(
        f'<span class="dot" style="left:{x:.2f}%;bottom:{y:.2f}%;background:{colour(index)};'
        f'{_dot(len(points) - index)}"></span>'
        for index, (x, y) in enumerate(map(at, points))
    )
    line = f'<polyline points="{_points([at(each) for each in curve])}" style="stroke:var(--soft);stroke-width:2.5"/>'
    labels = [(100 * tick / widest[-1], short_number(tick)) for tick in widest]
    rise = [(100 * tick / highest[-1], short_number(tick)) for tick in highest]
    drawn = _frame(line, rise, labels, f"{unit}s in the month", dots)
    sign = "" if unit is Unit.EVENT or findings.traffic.is_exact else "~"
    rows = [
        row(compared(findings, found), [f"{sign}{amount:,}", text(prices.format(prices.cost(amount)))])
        for found, amount in zip(findings.sets, points, strict=True)
    ]
    figures = table(heads(["rules", f"{unit}s", "cost"]), rows, caption=f"{month_label(month)}")
    names = [compared(findings, found) for found in findings.sets]
    currency = f", in {text(prices.currency)}" if prices.currency else ""
    return (
        f'{_dots_legend(names)}<div class="pair"><div><span class="soft">Cost of a month{currency}</span>{drawn}</div>'
        f"<div>{figures}</div></div>"
    )


def _cost_by_price(findings: Findings) -> str:
    bill = findings.bill
    unit, highest_price = bill.unit, bill.usual_price
    days = [month.first_day for month in findings.months]
    amounts = [amount_of(unit, found, days) for found in findings.sets]
    ticks = nice_ticks(max(*amounts, 1) * highest_price)
    lines = "".join(
        _line(index, len(amounts), [(0, 0), (100, 100 * each * highest_price / ticks[-1])])
        for index, each in enumerate(amounts)
    )
    labels = [(100 * step / 2, _decimal(highest_price * step / 2).rstrip(".")) for step in range(3)]
    drawn = _frame(lines, [(100 * t / ticks[-1], short_number(t)) for t in ticks], labels, f"price per {unit}")
    names = [compared(findings, found) for found in findings.sets]
    sign = "" if unit is Unit.EVENT or findings.traffic.is_exact else "~"
    rows = [
        row(name, [f"{sign}{amount:,}", f'<span data-amount="{amount}">&ndash;</span>'])
        for name, amount in zip(names, amounts, strict=True)
    ]
    figures = table(heads(["rules", f"{unit}s", "cost"]), rows, caption="All months together")
    name = f"price-{findings.destination}"
    field = (
        f'<p class="try" hidden><label for="{name}">Your price per {unit}</label>'
        f'<input id="{name}" type="number" min="0" step="{_decimal(highest_price / 20)}" '
        f'value="{_decimal(highest_price / 2)}" inputmode="decimal"></p>'
    )
    return (
        f'{legend(names)}<div class="pair priced"><div><span class="soft">Cost</span>{drawn}</div>'
        f"<div>{field}{figures}</div></div>"
    )


def _decimal(value: float) -> str:
    """Return a number without an exponent."""
    return f"{value:.6f}".rstrip("0")


def _dots_legend(names: Sequence[str]) -> str:
    items = "".join(
        f'<li><i style="background:{colour(index)};border-radius:50%"></i>{text(name)}</li>'
        for index, name in enumerate(names)
    )
    return f'<ul class="key">{items}</ul>'


def _line(index: int, sets: int, points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline points="{_points(points)}" {line_style(index, sets)}/>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in points)


def _frame(
    lines: str, rise: Sequence[tuple[float, str]], labels: Sequence[tuple[float, str]], axis: str, more: str = ""
) -> str:
    """Return lines on a grid; coordinates are in percent."""
    grid = "".join(f'<line class="grid" x1="0" x2="100" y1="{100 - y:.2f}" y2="{100 - y:.2f}"/>' for y, _ in rise)
    ups = "".join(f'<span class="y" style="bottom:{y:.2f}%">{text(word)}</span>' for y, word in rise)
    along = "".join(f'<span class="x{_edge(x)}" style="left:{x:.2f}%">{text(word)}</span>' for x, word in labels)
    return (
        '<div class="chart" aria-hidden="true"><svg viewBox="0 0 100 100" preserveAspectRatio="none">'
        f"{grid}{lines}</svg>"
        f'{ups}{along}<span class="axis">{text(axis)}</span>{more}</div>'
    )


def _dot(size: int) -> str:
    return f"width:{0.35 + 0.4 * size:.2f}rem;height:{0.35 + 0.4 * size:.2f}rem"


def _edge(x: float) -> str:
    return " last" if x >= 100 else ""  # noqa: PLR2004 -- percent
