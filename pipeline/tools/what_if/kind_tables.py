"""The tables of events by kind, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from pipeline.output.console import stacked, words
from pipeline.tools.what_if.findings import kinds_of
from pipeline.tools.what_if.words import compared, short_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from pipeline.tools.what_if.findings import Findings, KindCount, RuleSetFindings

_NONE: Final = "-"
_WORDS: Final = ("kept", "dropped", "rejected")


def kinds(destinations: Sequence[Findings]) -> Table:
    """Return one table of all sets of rules, with the destinations side by side."""
    pairs = [(each, each.sets[index]) for index, _ in enumerate(destinations[0].sets) for each in destinations]
    return _kinds(destinations, pairs, "Events by kind", is_whole=True)


def kinds_apart(destinations: Sequence[Findings]) -> Sequence[Table]:
    """Return a table for each set of rules and destination."""
    where = [f", {findings.bill.title}" if len(destinations) > 1 else "" for findings in destinations]
    return [
        _kinds([findings], [(findings, found)], f"Events by kind: {compared(findings, found)}{at}", is_whole=False)
        for findings, at in zip(destinations, where, strict=True)
        for found in findings.sets
    ]


def _kinds(
    destinations: Sequence[Findings],
    pairs: Sequence[tuple[Findings, RuleSetFindings]],
    title: str,
    *,
    is_whole: bool,
) -> Table:
    table = Table(title=title, show_footer=True)
    traffic = destinations[0].traffic
    unusable = sum(traffic.unusable.values())
    table.add_column("kind", footer=f"all {traffic.read:,} messages", no_wrap=True)
    classified = [findings for findings in destinations if findings.bill.has_event_plan]
    for findings in classified:
        above = [words(findings.bill.title)] if len(destinations) > 1 else []
        table.add_column(stacked(*above, words("mtu")), no_wrap=True)
    for findings, found in pairs:
        above = list(_above(destinations, findings, found)) if is_whole and len(pairs) > 1 else []
        totals = (found.kept, found.dropped + traffic.empty, found.rejected + unusable)
        for word, total in zip(_WORDS, totals, strict=True):
            table.add_column(stacked(*above, words(word)), footer=f"{total:,}", justify="right", no_wrap=True)
            above = [words("")] * len(above)
    for kind in kinds_of(destinations):
        classes = [_class(findings, kind) for findings in classified]
        counts = [found.kinds.get(kind) for _, found in pairs]
        table.add_row(words(short_kind(kind)), *classes, *(cell for count in counts for cell in _cells(count)))
    blank = [""] * len(classified)
    if traffic.empty:
        table.add_row("(no body)", *blank, *(["", f"{traffic.empty:,}", ""] * len(pairs)))
    if unusable:
        table.add_row("(cannot be decoded)", *blank, *(["", "", f"{unusable:,}"] * len(pairs)))
    return table


def _above(destinations: Sequence[Findings], findings: Findings, found: RuleSetFindings) -> Iterator[Text]:
    is_first = findings is destinations[0]
    yield words(compared(findings, found) if is_first else "")
    if len(destinations) > 1:
        yield words(findings.bill.title)


def _class(findings: Findings, kind: str) -> str:
    mtu_class = findings.class_of(kind)
    return _NONE if mtu_class is None else mtu_class.value


def _cells(count: KindCount | None) -> tuple[str, str, str]:
    if count is None:
        return "", "", ""
    return _cell(count.kept), _cell(count.dropped), _cell(count.rejected)


def _cell(events: int) -> str:
    return f"{events:,}" if events else _NONE
