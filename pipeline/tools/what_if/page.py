"""Write the findings as one self-contained HTML page, from top to bottom.

The page has no address and no user id, and fetches nothing. A content security policy enforces this in the browser.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from pipeline.tools.rules_diff import differences
from pipeline.tools.what_if.groups import BITS, Group
from pipeline.tools.what_if.headline import headline
from pipeline.tools.what_if.page_cards import cards
from pipeline.tools.what_if.page_charts import cost_chart, growth_chart, reasons_chart
from pipeline.tools.what_if.page_parts import beside, text
from pipeline.tools.what_if.page_tables import kinds_table, months_table
from pipeline.tools.what_if.words import listed, losses, month_label, notes, share, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.findings import Findings
    from pipeline.tools.what_if.prices import Prices

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(destinations: Sequence[Findings], charges: Mapping[Destination, Prices], *, written_at: datetime) -> str:
    """Return the whole page; `charges` has the prices of each destination that has one."""
    title = headline(destinations, charges)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_file('page.css')}</style></head><body><main>\n"
        + "\n".join(_body(destinations, charges, title, written_at))
        + f"\n</main><script>{_file('page.js')}</script></body></html>\n"
    )


def _file(name: str) -> str:
    return (files("pipeline.tools.what_if") / name).read_text(encoding="utf-8")


def _body(
    destinations: Sequence[Findings], charges: Mapping[Destination, Prices], title: str, written_at: datetime
) -> Iterator[str]:
    first = destinations[0]
    yield f'<p class="eyebrow">{_eyebrow(destinations)}</p>'
    yield f"<h1>{text(title)}</h1>"
    yield f'<p class="soft">{text(span(first.traffic))}. Compared with {text(first.baseline.name)}.</p>'
    for line in losses(destinations):
        yield f'<p class="alarm" role="note">Engagements lost: {text(line)}</p>'
    yield cards(destinations, charges)
    if first.months:
        yield _section("Why users are billed", _each(destinations, _reasons))
        yield _section("MTUs over the month", _each(destinations, _growth))
        yield _section("Cost", _each(destinations, lambda found: _cost(found, charges.get(found.destination))))
    if any(len(findings.months) > 1 for findings in destinations):
        yield _section("Month by month", months_table(destinations, charges))
    kinds = _words("The events that each set of rules keeps and drops. A dot marks engagements.")
    yield _section("Events by kind", kinds + kinds_table(destinations))
    yield _section("Differences between the rules", "".join(_changes(first)))
    items = "".join(f"<li>{text(note)}</li>" for note in notes(destinations))
    yield _section("Notes", f'<ul class="notes">{items}</ul>')
    yield (
        f"<footer>Written {written_at:%Y-%m-%d %H:%M} UTC by onesignal-pipeline {text(version('onesignal-pipeline'))}. "
        "Contains totals only: no user, no id, no message.</footer>"
    )


def _eyebrow(destinations: Sequence[Findings]) -> str:
    where = listed([findings.bill.title for findings in destinations])
    events = "events and " if any(findings.bill.has_event_plan for findings in destinations) else ""
    return f"Cost of OneSignal&rsquo;s events in {where}, by {events}monthly tracked users (MTUs)"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{text(title)}</h2>{content}</section>"


def _each(destinations: Sequence[Findings], content: Callable[[Findings], str]) -> str:
    """Return what a section has about each destination, side by side if there are several."""
    return beside({findings.bill.title: content(findings) for findings in destinations})


def _words(words: str) -> str:
    return f"<p>{text(words)}</p>"


def _reasons(findings: Findings) -> str:
    reached = sum(e.value for bits, e in findings.reasons.items() if not bits & BITS[Group.ENGAGED])
    total = sum(estimate.value for estimate in findings.reasons.values())
    sign = "" if findings.traffic.is_exact else "~"
    counting = " Exempt events bill nobody." if findings.exempt_kinds else ""
    words = (
        f"If every event is kept, {sign}{total:,} MTUs are billed. {sign}{reached:,} of them ({share(reached, total)}) "
        "never interacted with a message: they are billed because one was sent, received, displayed or failed."
        + counting
        + (" Users are counted once a month." if len(findings.months) > 1 else "")
    )
    return _words(words) + reasons_chart(findings)


def _growth(findings: Findings) -> str:
    months = ", ".join(month_label(month) for month in findings.months[-3:])
    event = "the first event that is kept and counts" if findings.exempt_kinds else "the first event that is kept"
    return _words(f"A user is billed once a month, with {event}. {months}.") + growth_chart(findings)


def _cost(findings: Findings, prices: Prices | None) -> str:
    words = f"Price: {prices}."
    if prices is None:
        words = "No price was given. Enter one: the lines show the cost of each set of rules by price."
    return _words(words) + cost_chart(findings, prices)


def _changes(findings: Findings) -> Iterator[str]:
    for found in findings.others:
        lines = "\n".join(map(text, differences(findings.baseline.rules, found.rules)))
        yield f'<h3>{text(findings.baseline.name)} → {text(found.name)}</h3><div class="words">{lines}</div>'
