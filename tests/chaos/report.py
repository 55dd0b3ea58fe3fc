"""The figures of a run, as JSON and as a table for people, and the verdict."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rich.table import Table

from tests.chaos.recovery import PARTS, recovery_seconds
from tests.chaos.run import REPEATED_PER_DISTURBANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.run import Outcome

    Tell: TypeAlias = Callable[[str], None]

REPORT: Final = Path("build/chaos.json")


def figures(outcome: Outcome) -> dict[str, Any]:
    """Put everything together that is worth keeping."""
    stage, reckoning = outcome.stage, outcome.reckoning
    ledger, crew = stage.sampler.ledger, stage.crew
    by_workers = reckoning.duplicates - ledger.repeats_after_lost_answers
    return {
        "events": ledger.written,
        "rounds": stage.form.rounds,
        "seed": stage.form.seed,
        "kills": crew.kills,
        "seconds": round(outcome.seconds, 1),
        "lost": reckoning.lost.count,
        "order_violations": reckoning.order.count,
        "duplicates": reckoning.duplicates,
        "duplicates_after_lost_answers": ledger.repeats_after_lost_answers,
        "duplicates_per_kill": round(by_workers / max(1, crew.kills), 1),
        "duplicates_bound": bound(outcome),
        "disruptions_beside_kills": stage.disruptions,
        "rewritten_records": reckoning.rewritten_records,
        "repeated_by_traffic": reckoning.repeated_by_traffic,
        "commit_ahead": bool(reckoning.commit_ahead.count),
        "commits_backward": reckoning.commit_backward.count,
        "commits": outcome.commits,
        "samples": ledger.samples,
        "samples_that_failed": dict(stage.unsampled),
        "unknown_ids": reckoning.unknown_ids.count,
        "wrong_fates": reckoning.wrong_fate.count,
        "displaced": reckoning.displaced.count,
        "accepted_ids": reckoning.accepted_ids,
        "fates": reckoning.fates,
        "refused_by_segment": reckoning.refused,
        "dead_letters": dict(sorted(ledger.letters.items())),
        "poison": dict(sorted(stage.writer.poison.items())),
        "faults": dict(sorted(stage.injected.items())),
        "requests_spoilt": dict(sorted(stage.met.items())),
        "answers": answers(outcome),
        "unsettled": outcome.unsettled,
        "lag_after_churn_seconds": stage.lag_after_churn_seconds,
        "recovery_seconds": recovery_seconds(crew.recoveries),
        "worker_starts": crew.starts,
        "starts_without_a_broker": dict(crew.vain_starts),
        "broken": broken(outcome),
    }


def answers(outcome: Outcome) -> dict[str, int]:
    """Count the stand-in's answers by status."""
    return {str(status): count for status, count in outcome.stage.segment.ledger.summary().answers.items()}


def bound(outcome: Outcome) -> int:
    """How many duplicates are within the promise: what was in hand at each kill, and what lost its answer.

    All that other disturbances repeat must find room in it too; they count by themselves where nobody was killed.
    """
    stage = outcome.stage
    disturbed = stage.crew.kills or stage.disruptions
    return disturbed * REPEATED_PER_DISTURBANCE + stage.sampler.ledger.repeats_after_lost_answers


def broken(outcome: Outcome) -> list[dict[str, Any]]:
    """List every promise that was broken, with its evidence."""
    found = [asdict(finding) for finding in outcome.reckoning.findings if finding.count]
    others = [*outcome.stage.broken, *outcome.stage.crew.own_ends, *outcome.stage.crew.bad_stops]
    if outcome.unsettled:
        others.append(f"{outcome.unsettled} messages were not committed at the end")
    if outcome.reckoning.duplicates > bound(outcome):
        others.append(f"{outcome.reckoning.duplicates} duplicates are more than {bound(outcome)}")
    if others:
        found.append(
            {
                "promise": "workers live until they are told to end, and everything heals within bounds",
                "count": len(others),
                "evidence": others,
            }
        )
    return found


def compare(report: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> None:
    """Put what a kill costs beside stock Faust; a comparison that fails takes no figure of the run with it."""
    try:
        report["kills_beside_stock_faust"] = measure()
    except Exception as error:  # noqa: BLE001 -- whatever it was, it is evidence
        report["broken"].append(
            {"promise": "what a kill costs is measured beside stock Faust", "count": 1, "evidence": [repr(error)]}
        )


def write(report: dict[str, Any]) -> None:
    """Store the figures."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_ROWS: Final = {
    "events": "events in",
    "accepted_ids": "messageIds accepted",
    "lost": "lost",
    "order_violations": "out of order",
    "commit_ahead": "a commit was ahead",
    "commits_backward": "commits of an old generation",
    "unknown_ids": "unknown messageIds accepted",
    "wrong_fates": "wrong fates",
    "displaced": "records without their source",
    "duplicates": "duplicates, all of known messageIds",
    "duplicates_after_lost_answers": "… of them because an answer was lost",
    "duplicates_per_kill": "… the others, per kill",
    "duplicates_bound": "… and what is promised at most",
    "kills": "SIGKILLs",
    "worker_starts": "worker starts",
    "samples": "samples of commits against the ledger",
    "commits": "commits that Kafka stored",
    "refused_by_segment": "records dead-lettered by the sink",
    "lag_after_churn_seconds": "lag 0 after members came and went (s)",
    "unsettled": "left unsettled",
    "seconds": "seconds",
}


def table(report: dict[str, Any]) -> Table:
    """Draw the closing table."""
    drawn = Table(title=f"chaos, seed {report['seed']}", title_justify="left")
    drawn.add_column("what")
    drawn.add_column("figure", justify="right")
    for name, label in _ROWS.items():
        value = report[name]
        drawn.add_row(label, f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))
    for name, count in report["dead_letters"].items():
        drawn.add_row(f"dead letters, {name}", f"{count:,}")
    return drawn


def faults(report: dict[str, Any]) -> str:
    """Say in a few lines what was broken, how many requests that has spoilt, and what Segment answered."""
    spoilt = report["requests_spoilt"]
    injected = (
        f"{name} ({count}{f', met by {spoilt[name]} requests' if name in spoilt else ''})"
        for name, count in report["faults"].items()
    )
    answered = (f"{status} ({count:,})" for status, count in report["answers"].items())
    return f"faults: {'; '.join(injected)}\nanswers of Segment: {', '.join(answered)}"


def recovery_table(report: dict[str, Any]) -> Table:
    """Draw the times from a kill to the first settled record."""
    drawn = Table(title="from SIGKILL to the successor's first settled record, seconds", title_justify="left")
    drawn.add_column("role")
    for part in PARTS:
        drawn.add_column(f"{part.replace('_', ' ')}: median, largest", justify="right")
    for role, parts in report["recovery_seconds"].items():
        drawn.add_row(role, *(f"{parts[part]['median']:.1f}, {parts[part]['largest']:.1f}" for part in PARTS))
    return drawn
