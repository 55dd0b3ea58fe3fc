"""The texts of the findings, for both the terminal and the page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline.core.billing_month import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.tools.what_if.crowds import Estimate
    from pipeline.tools.what_if.findings import Findings, Month, RuleSetFindings


def number(estimate: Estimate) -> str:
    """Return a number of users as text; `~` marks an estimate."""
    return f"{estimate.value:,}" if estimate.is_exact else f"~{estimate.value:,}"


def share(part: float, whole: float) -> str:
    """Return a share in percent. Only shares of exactly 0 and 1 become 0 % and 100 %."""
    if not whole:
        return "0 %"
    percent = 100 * abs(part) / whole
    rounded = f"{percent:.0f}"
    if 0 < percent < 1 or 99 < percent < 100:  # noqa: PLR2004 -- rounding would give 0 % or 100 %
        rounded = f"{min(max(percent, 0.1), 99.9):.1f}"
    return f"{'-' if part < 0 else ''}{rounded} %"


def short_kind(kind: str) -> str:
    """Return a kind without the prefix that all kinds have."""
    return kind.removeprefix("message.") or "(no kind)"


def day(number_of_day: int) -> date:
    """Return the date of a day since 1970-01-01."""
    return date.fromordinal(EPOCH + number_of_day)


def month_name(month: Month) -> str:
    """Return the name of a billing month: `2026-01`, or its first and last day if it does not begin on the first."""
    first = day(month.first_day)
    return f"{first:%Y-%m}" if first.day == 1 else f"{first} to {day(month.last_day)}"


def month_label(month: Month) -> str:
    """Return the name of a billing month, marked as partial if the traffic covers only a part of it."""
    if not month.is_partial:
        return month_name(month)
    first, last = day(month.covered_from), day(month.covered_to)
    covered = f"{first:%d %b}" if first == last else f"{first:%d %b} to {last:%d %b}"
    return f"{month_name(month)} (partial: {covered})"


def span(findings: Findings) -> str:
    """Return how many messages were read, their source and their time range."""
    messages = f"{findings.read:,} messages of {findings.source}"
    if findings.first_ms is None or findings.last_ms is None:
        return messages
    first, last = (datetime.fromtimestamp(each / 1000, UTC) for each in (findings.first_ms, findings.last_ms))
    return f"{messages}, from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def by_number(counts: Mapping[str, int]) -> str:
    """Return counts as text, in descending order."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))


def losses(findings: Findings) -> Iterator[str]:
    """Yield, for each set of rules that loses engagements, which ones."""
    for found in findings.others:
        lost = sum(found.engagements_lost.values())
        if lost:
            kinds = by_number({short_kind(kind): count for kind, count in found.engagements_lost.items()})
            noun = "engagement" if lost == 1 else "engagements"
            yield f"{found.name} loses {lost:,} {noun} that {findings.baseline.name} keeps: {kinds}"


def error(findings: Findings) -> float:
    """Return the largest relative error of the MTUs at 95 % confidence."""
    estimates = [estimate for found in findings.sets for estimate in found.users.values() if estimate.value]
    return max((max(e.high - e.value, e.value - e.low) / e.value for e in estimates), default=0.0)


def notes(findings: Findings) -> Iterator[str]:
    """Yield the notes that a reader needs to interpret the figures."""
    if findings.is_exact:
        yield "Distinct users were counted exactly."
    else:
        yield (
            f"There are more than {findings.exact_up_to:,} distinct users, so numbers of users (~) are estimates by "
            f"Theta sketches: MTUs within ±{error(findings):.1%} at 95 % confidence. Events are counted exactly."
        )
    if findings.unusable:
        reasons = by_number({reason.value: count for reason, count in findings.unusable.items()})
        yield f"{sum(findings.unusable.values()):,} messages cannot be decoded ({reasons}), whatever the rules are."
    if findings.empty:
        yield f"{findings.empty:,} messages have no body and are dropped, whatever the rules are."
    partial = [month_label(month) for month in findings.months if month.is_partial]
    if partial:
        yield (
            f"The traffic covers only a part of the billing month {', '.join(partial)}. Later days of a month add "
            "fewer new users, so do not extrapolate."
        )
    if findings.tracks:
        yield (
            "tracked_only knows only the users of this traffic, not those of earlier messages or other sources: the "
            "live pipeline may keep more events, without further MTUs."
        )
    undated = max((found.undated for found in findings.sets), default=0)
    if undated:
        yield f"{undated:,} events have no time: they belong to no month, and their users are not counted."
    yield (
        "An MTU is a distinct user in a billing month (UTC, by the time at which Kafka stored the message). Users who "
        "are also tracked by other sources of the workspace are billed anyway, so the real saving may be smaller."
    )


def compared(findings: Findings, found: RuleSetFindings) -> str:
    """Return the name of a set of rules, with a mark if it is the baseline."""
    return f"{found.name} (baseline)" if found is findings.baseline else found.name
