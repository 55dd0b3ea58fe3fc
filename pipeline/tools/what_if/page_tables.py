"""The tables of the page: months, and events by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.tools.what_if.findings import cost_of, is_engagement, kinds_of
from pipeline.tools.what_if.page_parts import table, text
from pipeline.tools.what_if.words import compared, month_label, number, short_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.findings import Findings, KindCount, Month, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices

_NONE: Final = "&ndash;"
_ENGAGEMENT: Final = ' class="engagement"'


def months_table(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> str:
    """Return the table of users, events and cost by month."""
    events = ["events"] if any(findings.bill.has_event_plan for findings in destinations) else []
    place = ["destination"] if len(destinations) > 1 else []
    names = "".join(f'<th scope="col" class="name">{name}</th>' for name in (*place, "rules"))
    numbers = ["MTUs", "saved", *events, *(["cost"] if charges else [])]
    others = "".join(f'<th scope="col">{name}</th>' for name in numbers)
    head = f'<tr><th scope="col">month</th>{names}{others}</tr>'
    rows = [
        f'<tr><th scope="row">{text(month_label(month))}</th>'
        + "".join(f'<td class="name">{text(findings.bill.title)}</td>' for _ in place)
        + f'<td class="name">{text(compared(findings, found))}</td>'
        + "".join(f"<td>{cell}</td>" for cell in _month(findings, found, month, charges, events=bool(events)))
        + "</tr>"
        for findings in destinations
        for month in findings.months
        for found in findings.sets
    ]
    return table(head, rows, caption="MTUs of each billing month")


def _month(
    findings: Findings, found: RuleSetFindings, month: Month, charges: Mapping[Destination, Prices], *, events: bool
) -> Iterator[str]:
    day = month.first_day
    yield number(found.users[day])
    yield _NONE if found is findings.baseline else f"{findings.saved(found, day):,}"
    if events:
        yield f"{found.records[day]:,}"
    if charges:
        prices = charges.get(findings.destination)
        yield _NONE if prices is None else text(prices.format(cost_of(prices, found, [day])))


def kinds_table(destinations: Sequence[Findings]) -> str:
    """Return the table of events by kind, with the destinations side by side for each set of rules."""
    traffic = destinations[0].traffic
    pairs = [(each, each.sets[index]) for index, _ in enumerate(destinations[0].sets) for each in destinations]
    unusable = sum(traffic.unusable.values())
    rejects = any(found.rejected for _, found in pairs) or bool(unusable)
    words = ("kept", "dropped", "rejected") if rejects else ("kept", "dropped")
    classified = [findings for findings in destinations if findings.bill.has_event_plan]
    several = len(destinations) > 1
    classes = "".join(
        f'<th scope="col" rowspan="2" class="name edge">{text(each.bill.title)} MTU</th>' for each in classified
    )
    names = "".join(
        f'<th scope="colgroup" class="edge" colspan="{len(words)}">{text(compared(findings, found))}'
        f"{f', {text(findings.bill.title)}' if several else ''}</th>"
        for findings, found in pairs
    )
    columns = "".join(f'<th scope="col"{_edge(index)}>{word}</th>' for _ in pairs for index, word in enumerate(words))
    head = f'<tr><th scope="col" rowspan="2">kind</th>{classes}{names}</tr><tr>{columns}</tr>'
    rows = [
        f'<tr{_ENGAGEMENT * is_engagement(kind)}><th scope="row">{text(short_kind(kind))}</th>'
        + "".join(f'<td class="name edge">{_class(each, kind)}</td>' for each in classified)
        + "".join(_cells(found.kinds.get(kind), len(words)) for _, found in pairs)
        + "</tr>"
        for kind in kinds_of(destinations)
    ]
    blank = '<td class="edge"></td>' * len(classified)
    for name, count in (("(no body)", (0, traffic.empty, 0)), ("(cannot be decoded)", (0, 0, unusable))):
        if any(count):
            cells = _numbers(count[: len(words)]) * len(pairs)
            rows.append(f'<tr><th scope="row">{name}</th>{blank}{cells}</tr>')
    totals = "".join(
        _numbers((found.kept, found.dropped + traffic.empty, found.rejected + unusable)[: len(words)])
        for _, found in pairs
    )
    foot = f'<tr><th scope="row">all {traffic.read:,}</th>{blank}{totals}</tr>'
    return table(head, rows, caption=f"{traffic.read:,} messages by kind", foot=foot, wide=True)


def _class(findings: Findings, kind: str) -> str:
    mtu_class = findings.class_of(kind)
    return _NONE if mtu_class is None else mtu_class.value


def _cells(count: KindCount | None, columns: int) -> str:
    return _numbers((0, 0, 0)[:columns] if count is None else (count.kept, count.dropped, count.rejected)[:columns])


def _numbers(numbers: tuple[int, ...]) -> str:
    texts = (f"{each:,}" if each else _NONE for each in numbers)
    return "".join(f"<td{_edge(index)}>{each}</td>" for index, each in enumerate(texts))


def _edge(index: int) -> str:
    return ' class="edge"' if index == 0 else ""
