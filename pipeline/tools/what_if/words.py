"""The texts of the findings, for both the terminal and the page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline.core.billing_month import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.crowds import Estimate
    from pipeline.tools.what_if.findings import Findings, Month, RuleSetFindings, Traffic
    from pipeline.tools.what_if.prices import Prices


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


def span(traffic: Traffic) -> str:
    """Return how many messages were read, their source and their time range."""
    messages = f"{traffic.read:,} messages of {traffic.source}"
    if traffic.first_ms is None or traffic.last_ms is None:
        return messages
    first, last = (datetime.fromtimestamp(each / 1000, UTC) for each in (traffic.first_ms, traffic.last_ms))
    return f"{messages}, from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def by_number(counts: Mapping[str, int]) -> str:
    """Return counts as text, in descending order."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))


def losses(destinations: Sequence[Findings]) -> Iterator[str]:
    """Yield, for each set of rules that loses engagements, which ones."""
    for findings in destinations:
        where = f" at {findings.bill.title}" if len(destinations) > 1 else ""
        for found in findings.others:
            lost = sum(found.engagements_lost.values())
            if lost:
                kinds = by_number({short_kind(kind): count for kind, count in found.engagements_lost.items()})
                yield f"{found.name} loses {engagements(lost)}{where} that {findings.baseline.name} keeps: {kinds}"


def listed(parts: Sequence[str]) -> str:
    """Return parts as a list in words: ``a``, ``a and b``, or ``a, b, and c``."""
    if len(parts) < 3:  # noqa: PLR2004 -- two parts need no comma
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"


def engagements(number_of_events: int) -> str:
    """Return a number of engagements as text."""
    return f"{number_of_events:,} engagement{'' if number_of_events == 1 else 's'}"


def error(destinations: Sequence[Findings]) -> float:
    """Return the largest relative error of the MTUs at 95 % confidence."""
    users = [found.users for findings in destinations for found in findings.sets]
    estimates = [estimate for of_months in users for estimate in of_months.values() if estimate.value]
    return max((max(e.high - e.value, e.value - e.low) / e.value for e in estimates), default=0.0)


def notes(destinations: Sequence[Findings]) -> Iterator[str]:
    """Yield the notes that a reader needs to interpret the figures, each once."""
    yield _certainty(destinations)
    yield from _unread(destinations[0].traffic)
    yield from dict.fromkeys(note for findings in destinations for note in _limits(findings))
    for findings in destinations:
        yield from _guardrail(findings)
        yield from _exempt_dropped(findings)
        yield findings.bill.meaning


def _certainty(destinations: Sequence[Findings]) -> str:
    traffic = destinations[0].traffic
    if traffic.is_exact:
        return "Distinct users were counted exactly."
    return (
        f"There are more than {traffic.exact_up_to:,} distinct users, so numbers of users (~) are estimates by "
        f"Theta sketches: MTUs within ±{error(destinations):.1%} at 95 % confidence. Events are counted exactly."
    )


def _unread(traffic: Traffic) -> Iterator[str]:
    if traffic.unusable:
        reasons = by_number({reason.value: count for reason, count in traffic.unusable.items()})
        yield f"{sum(traffic.unusable.values()):,} messages cannot be decoded ({reasons}), whatever the rules are."
    if traffic.empty:
        yield f"{traffic.empty:,} messages have no body and are dropped, whatever the rules are."


def _limits(findings: Findings) -> Iterator[str]:
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


def _guardrail(findings: Findings) -> Iterator[str]:
    limit = findings.bill.guardrail
    if limit is not None:
        yield (
            f"{findings.bill.title}'s guardrail: if a project has more than {limit:,} events per user in a month, its "
            f"MTUs are its events/{limit:,}. This depends on the whole project, not only on OneSignal's events, whose "
            "part is shown. Whether exempt events count is not documented; here they do."
        )


def _exempt_dropped(findings: Findings) -> Iterator[str]:
    """Yield which sets of rules drop events that bill no user."""
    kept = findings.exempt(findings.baseline)
    for found in findings.others:
        dropped = kept - findings.exempt(found)
        if dropped > 0:
            yield (
                f"{found.name} drops {dropped:,} events that bill no user at {findings.bill.title}: under an MTU plan "
                "that saves nothing."
            )


def thousands(findings: Findings, found: RuleSetFindings, months: Sequence[Month]) -> str | None:
    """Return the events of months as the guardrail counts them; None if the destination has no guardrail."""
    limit = findings.bill.guardrail
    if limit is None:
        return None
    return f"{sum(found.records[month.first_day] for month in months) / limit:,.1f}"


def guardrail_name(destinations: Sequence[Findings]) -> str | None:
    """Return the name of the guardrail's figure; None if no destination has a guardrail."""
    limits = [findings.bill.guardrail for findings in destinations if findings.bill.guardrail is not None]
    return f"events/{limits[0]:,}" if limits else None


def price_words(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> Iterator[str]:
    """Yield the price at each destination that has one."""
    for findings in destinations:
        if prices := charges.get(findings.destination):
            where = f" at {findings.bill.title}" if len(destinations) > 1 else ""
            yield f"Price{where}: {prices}."


def compared(findings: Findings, found: RuleSetFindings) -> str:
    """Return the name of a set of rules, with a mark if it is the baseline."""
    return f"{found.name} (baseline)" if found is findings.baseline else found.name
