"""The findings in words, alike on a terminal and on a page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline.core.billing_month import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.tools.what_if.crowds import Estimate
    from pipeline.tools.what_if.findings import Findings, Month, RuleSetFindings


def number(estimate: Estimate) -> str:
    """Write a number of users; `~` stands before an estimate."""
    return f"{estimate.value:,}" if estimate.is_exact else f"~{estimate.value:,}"


def share(part: float, whole: float) -> str:
    """Write a share in percent, without saying 0 % or 100 % of what is not quite that."""
    if not whole:
        return "0 %"
    percent = 100 * abs(part) / whole
    told = f"{percent:.0f}"
    if 0 < percent < 1 or 99 < percent < 100:  # noqa: PLR2004 -- where rounding would lie
        told = f"{min(max(percent, 0.1), 99.9):.1f}"
    return f"{'-' if part < 0 else ''}{told} %"


def short_kind(kind: str) -> str:
    """Write a kind without the word that all of them begin with."""
    return kind.removeprefix("message.") or "(no kind)"


def day(number_of_day: int) -> date:
    """Return the date of a day since 1970-01-01."""
    return date.fromordinal(EPOCH + number_of_day)


def month_name(month: Month) -> str:
    """Name a billing month: `2026-01`, or by its first and last day where it does not begin on the first."""
    first = day(month.first_day)
    return f"{first:%Y-%m}" if first.day == 1 else f"{first} to {day(month.last_day)}"


def month_told(month: Month) -> str:
    """Name a billing month, and say so where the traffic covers only a part of it."""
    if not month.is_partial:
        return month_name(month)
    first, last = day(month.covered_from), day(month.covered_to)
    covered = f"{first:%d %b}" if first == last else f"{first:%d %b} to {last:%d %b}"
    return f"{month_name(month)} (partial: {covered})"


def span(findings: Findings) -> str:
    """Say how much was read, of what, and of which time."""
    told = f"{findings.read:,} messages of {findings.source}"
    if findings.first_ms is None or findings.last_ms is None:
        return told
    first, last = (datetime.fromtimestamp(each / 1000, UTC) for each in (findings.first_ms, findings.last_ms))
    return f"{told}, from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def by_number(counts: Mapping[str, int]) -> str:
    """Write counts, the largest first."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))


def losses(findings: Findings) -> Iterator[str]:
    """Say for each set of rules which engagements it loses."""
    for found in findings.others:
        lost = sum(found.engagements_lost.values())
        if lost:
            kinds = by_number({short_kind(kind): count for kind, count in found.engagements_lost.items()})
            noun = "engagement" if lost == 1 else "engagements"
            yield f"{found.name} loses {lost:,} {noun} that {findings.baseline.name} keeps: {kinds}"


def error(findings: Findings) -> float:
    """Return how far the MTUs may be off at most, as a share, with a confidence of 95 %."""
    estimates = [estimate for found in findings.sets for estimate in found.users.values() if estimate.value]
    return max((max(e.high - e.value, e.value - e.low) / e.value for e in estimates), default=0.0)


def notes(findings: Findings) -> Iterator[str]:
    """Say what one should know before one believes the figures."""
    if findings.is_exact:
        yield "Distinct users were counted exactly."
    else:
        yield (
            f"There are more than {findings.exact_up_to:,} distinct users, so numbers of users (~) are estimates by "
            f"Theta sketches: MTUs within ±{error(findings):.1%} with a confidence of 95 %. Events are counted exactly."
        )
    if findings.unusable:
        reasons = by_number({reason.value: count for reason, count in findings.unusable.items()})
        yield f"{sum(findings.unusable.values()):,} messages cannot be decoded ({reasons}): no rules change that."
    if findings.empty:
        yield f"{findings.empty:,} messages have no body and are dropped by any rules."
    partial = [month_told(month) for month in findings.months if month.is_partial]
    if partial:
        yield (
            f"The traffic covers only a part of the billing month {', '.join(partial)}. The rest of a month touches "
            "fewer new users a day, so do not multiply."
        )
    if findings.tracks:
        yield (
            "tracked_only knows of a user what this traffic shows, and nothing of earlier messages or other sources: "
            "the live pipeline may keep more events, at no further MTU."
        )
    undated = max((found.undated for found in findings.sets), default=0)
    if undated:
        yield f"{undated:,} events tell no time: they are in no month, and their users are not counted."
    yield (
        "An MTU is a distinct user in a billing month (UTC, by the time at which Kafka stored the message). Users whom "
        "other sources of the same workspace have counted already cost nothing more, so the real saving may be smaller."
    )


def compared(findings: Findings, found: RuleSetFindings) -> str:
    """Name a set of rules, and say so of the one that the others are compared with."""
    return f"{found.name} (baseline)" if found is findings.baseline else found.name
