"""Write the findings as one self-contained HTML page, from top to bottom.

The page has no address and no user id, and fetches nothing. A content security policy enforces this in the browser.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from pipeline.tools.rules_diff import differences
from pipeline.tools.what_if.findings import is_engagement
from pipeline.tools.what_if.groups import BITS, Group
from pipeline.tools.what_if.page_charts import cost_chart, growth_chart, reasons_chart
from pipeline.tools.what_if.page_parts import colour, swatch, table, text
from pipeline.tools.what_if.tables import sum_of
from pipeline.tools.what_if.words import compared, losses, month_label, notes, number, share, short_kind, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.tools.what_if.findings import Findings, KindCount, RuleSetFindings
    from pipeline.tools.what_if.prices import Prices

_EYEBROW: Final = "Cost of OneSignal&rsquo;s events in Segment, by monthly tracked users (MTUs)"
_NONE: Final = "&ndash;"
_ENGAGEMENT: Final = ' class="engagement"'
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(findings: Findings, prices: Prices | None, *, written_at: datetime) -> str:
    """Return the whole page."""
    headline = _headline(findings, prices)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(headline)}</title><style>{_file('page.css')}</style></head><body><main>\n"
        + "\n".join(_body(findings, prices, headline, written_at))
        + f"\n</main><script>{_file('page.js')}</script></body></html>\n"
    )


def _file(name: str) -> str:
    return (files("pipeline.tools.what_if") / name).read_text(encoding="utf-8")


def _body(findings: Findings, prices: Prices | None, headline: str, written_at: datetime) -> Iterator[str]:
    yield f'<p class="eyebrow">{_EYEBROW}</p>'
    yield f"<h1>{text(headline)}</h1>"
    yield f'<p class="soft">{text(span(findings))}. Compared with {text(findings.baseline.name)}.</p>'
    for line in losses(findings):
        yield f'<p class="alarm" role="note">Engagements lost: {text(line)}</p>'
    yield f'<div class="cards">{"".join(_cards(findings, prices))}</div>'
    if findings.months:
        yield _section("Why users are billed", _reasons_words(findings), reasons_chart(findings))
        yield _section("MTUs over the month", _growth_words(findings), growth_chart(findings))
        yield _section("Cost", _cost_words(prices), cost_chart(findings, prices))
    if len(findings.months) > 1:
        yield _section("Month by month", "", _months(findings, prices))
    yield _section(
        "Events by kind",
        "The events that each set of rules keeps and drops. A dot marks engagements.",
        _kinds(findings),
    )
    yield _section("Differences between the rules", "", "".join(_changes(findings)))
    items = "".join(f"<li>{text(note)}</li>" for note in notes(findings))
    yield _section("Notes", "", f'<ul class="notes">{items}</ul>')
    yield (
        f"<footer>Written {written_at:%Y-%m-%d %H:%M} UTC by onesignal-pipeline {text(version('onesignal-pipeline'))}. "
        "Contains totals only: no user, no id, no message.</footer>"
    )


def _section(title: str, words: str, content: str) -> str:
    intro = f"<p>{text(words)}</p>" if words else ""
    return f"<section><h2>{text(title)}</h2>{intro}{content}</section>"


def _headline(findings: Findings, prices: Prices | None) -> str:
    """Return the main result of the last set of rules in one sentence."""
    found = findings.sets[-1]
    if found is findings.baseline:
        return f"{found.name} costs {number(found.all_users)} MTUs"
    saved, lost = findings.saved(found), sum(found.engagements_lost.values())
    part = share(abs(saved), findings.baseline.all_users.value)
    change = f"saves {part} of the MTUs" if saved >= 0 else f"costs {part} more MTUs"
    if prices is not None:
        days = [month.first_day for month in findings.months]
        money = sum_of(prices, findings.baseline, days) - sum_of(prices, found, days)
        change += f" ({prices.format(abs(money))})"
    return f"{found.name} {change} and loses {f'{lost:,}' if lost else 'no'} engagement{'s' * (lost > 1)}"


def _cards(findings: Findings, prices: Prices | None) -> Iterator[str]:
    widest = max((found.all_users.value for found in findings.sets), default=0)
    days = [month.first_day for month in findings.months]
    for index, found in enumerate(findings.sets):
        users = found.all_users
        facts = {"events kept": f"{found.kept:,}"}
        if prices is not None:
            facts = {"cost": prices.format(sum_of(prices, found, days)), **facts}
        if found is not findings.baseline:
            facts["users no longer seen"] = number(found.never_seen)
        listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items())
        width = 100 * users.value / max(widest, 1)
        yield (
            f'<article class="card"><div class="head">{swatch(index)}<h3>{text(compared(findings, found))}</h3></div>'
            f'<p class="big">{number(users)} <small>MTUs</small></p>{_verdict(findings, found)}'
            f'<div class="meter" aria-hidden="true"><i style="width:{width:.1f}%;background:{colour(index)}"></i></div>'
            f"<dl>{listed}</dl></article>"
        )


def _verdict(findings: Findings, found: RuleSetFindings) -> str:
    if found is findings.baseline:
        return '<p class="verdict soft">reference for the others</p>'
    saved, base = findings.saved(found), findings.baseline.all_users.value
    change = f"{saved:,} saved ({share(saved, base)})" if saved >= 0 else f"{-saved:,} more ({share(-saved, base)})"
    lost = sum(found.engagements_lost.values())
    tone = "good" if saved > 0 else "soft"
    noun = "engagement" if lost == 1 else "engagements"
    warning, relief = (
        f'<span class="bad">⚠ {lost:,} {noun} lost</span>',
        '<span class="good">✓ no engagement lost</span>',
    )
    engagements = warning if lost else relief
    return f'<p class="verdict"><span class="{tone}">{change}</span><br>{engagements}</p>'


def _reasons_words(findings: Findings) -> str:
    reached = sum(e.value for bits, e in findings.reasons.items() if not bits & BITS[Group.ENGAGED])
    total = sum(estimate.value for estimate in findings.reasons.values())
    sign = "" if findings.is_exact else "~"
    return (
        f"If every event is kept, {sign}{total:,} MTUs are billed. {sign}{reached:,} of them ({share(reached, total)}) "
        "never interacted with a message: they are billed because one was sent, received, displayed or failed."
        + (" Users are counted once a month." if len(findings.months) > 1 else "")
    )


def _growth_words(findings: Findings) -> str:
    months = ", ".join(month_label(month) for month in findings.months[-3:])
    return f"A user is billed once a month, with the first event that is kept. {months}."


def _cost_words(prices: Prices | None) -> str:
    if prices is None:
        return "No price was given. Enter one: the lines show the cost of each set of rules by price."
    return f"Price: {prices}."


def _months(findings: Findings, prices: Prices | None) -> str:
    names = ["MTUs", "saved", *(["cost"] if prices is not None else [])]
    rows = []
    for month in findings.months:
        for found in findings.sets:
            users = found.users[month.first_day]
            saved = _NONE if found is findings.baseline else f"{findings.saved(found, month.first_day):,}"
            cost = "" if prices is None else f"<td>{text(prices.format(prices.cost(users.value)))}</td>"
            rows.append(
                f'<tr><th scope="row">{text(month_label(month))}</th>'
                f'<td class="name">{text(compared(findings, found))}</td>'
                f"<td>{number(users)}</td><td>{saved}</td>{cost}</tr>"
            )
    first = '<th scope="col">month</th><th scope="col" class="name">rules</th>'
    others = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    head = f"<tr>{first}{others}</tr>"
    return table(head, rows, caption="MTUs of each billing month")


def _kinds(findings: Findings) -> str:
    rejects = any(found.rejected for found in findings.sets) or bool(findings.unusable)
    words = ("kept", "dropped", "rejected") if rejects else ("kept", "dropped")
    names = "".join(
        f'<th scope="colgroup" class="edge" colspan="{len(words)}">{text(compared(findings, found))}</th>'
        for found in findings.sets
    )
    columns = "".join(
        f'<th scope="col"{_edge(index)}>{word}</th>' for _ in findings.sets for index, word in enumerate(words)
    )
    head = f'<tr><th scope="col" rowspan="2">kind</th>{names}</tr><tr>{columns}</tr>'
    rows = [
        f'<tr{_ENGAGEMENT * is_engagement(kind)}><th scope="row">{text(short_kind(kind))}</th>'
        + "".join(_cells(found.kinds.get(kind), len(words)) for found in findings.sets)
        + "</tr>"
        for kind in findings.kinds
    ]
    unusable = sum(findings.unusable.values())
    for name, count in (("(no body)", (0, findings.empty, 0)), ("(cannot be decoded)", (0, 0, unusable))):
        if any(count):
            cells = _numbers(count[: len(words)]) * len(findings.sets)
            rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    totals = "".join(
        _numbers((found.kept, found.dropped + findings.empty, found.rejected + unusable)[: len(words)])
        for found in findings.sets
    )
    foot = f'<tr><th scope="row">all {findings.read:,}</th>{totals}</tr>'
    return table(head, rows, caption=f"{findings.read:,} messages by kind", foot=foot, wide=True)


def _cells(count: KindCount | None, columns: int) -> str:
    return _numbers((0, 0, 0)[:columns] if count is None else (count.kept, count.dropped, count.rejected)[:columns])


def _numbers(numbers: tuple[int, ...]) -> str:
    texts = (f"{each:,}" if each else _NONE for each in numbers)
    return "".join(f"<td{_edge(index)}>{each}</td>" for index, each in enumerate(texts))


def _edge(index: int) -> str:
    return ' class="edge"' if index == 0 else ""


def _changes(findings: Findings) -> Iterator[str]:
    for found in findings.others:
        lines = "\n".join(map(text, differences(findings.baseline.rules, found.rules)))
        yield f'<h3>{text(findings.baseline.name)} → {text(found.name)}</h3><div class="words">{lines}</div>'
