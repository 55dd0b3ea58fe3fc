"""The figures of a run, as JSON and as a table, and the verdict."""

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
    """Return all figures that are worth keeping."""
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
        "wrong_sources": reckoning.wrong_source.count,
        "accepted_ids": reckoning.accepted_ids,
        "fates": reckoning.fates,
        "refused_by_segment": reckoning.refused,
        "dead_letters": dict(sorted(ledger.letters.items())),
        "poison": dict(sorted(stage.writer.poison.items())),
        "faults": dict(sorted(stage.injected.items())),
        "affected_requests": dict(sorted(stage.affected.items())),
        "answers": answers(outcome),
        "unsettled": outcome.unsettled,
        "lag_after_churn_seconds": stage.lag_after_churn_seconds,
        "recovery_seconds": recovery_seconds(crew.recoveries),
        "worker_starts": crew.starts,
        "starts_without_a_broker": dict(crew.failed_starts),
        "broken": broken(outcome),
    }


def answers(outcome: Outcome) -> dict[str, int]:
    """Count the stand-in's answers by status."""
    return {str(status): count for status, count in outcome.stage.segment.ledger.summary().answers.items()}


def bound(outcome: Outcome) -> int:
    """Return how many duplicates are allowed: what was in hand at each kill, and requests whose answer was lost.

    What other disruptions repeat must fit into this number too; they count by themselves if no worker was killed.
    """
    stage = outcome.stage
    disturbed = stage.crew.kills or stage.disruptions
    return disturbed * REPEATED_PER_DISTURBANCE + stage.sampler.ledger.repeats_after_lost_answers


def broken(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every promise that was broken, with its evidence."""
    found = [asdict(finding) for finding in outcome.reckoning.findings if finding.count]
    others = [*outcome.stage.broken, *outcome.stage.crew.own_ends, *outcome.stage.crew.bad_stops]
    if outcome.unsettled:
        others.append(f"{outcome.unsettled} messages were not committed at the end")
    if outcome.reckoning.duplicates > bound(outcome):
        others.append(f"{outcome.reckoning.duplicates} duplicates, more than the allowed {bound(outcome)}")
    if others:
        found.append(
            {
                "promise": "workers run until they are stopped, and everything recovers within bounds",
                "count": len(others),
                "evidence": others,
            }
        )
    return found


def compare(report: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> None:
    """Add the cost of a kill compared with stock Faust. If the comparison fails, the figures of the run are kept."""
    try:
        report["kills_beside_stock_faust"] = measure()
    except Exception as error:  # noqa: BLE001 -- whatever it was, it is evidence
        report["broken"].append(
            {"promise": "the cost of a kill is measured against stock Faust", "count": 1, "evidence": [repr(error)]}
        )


def write(report: dict[str, Any]) -> None:
    """Store the figures."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_ROWS: Final = {
    "events": "events written",
    "accepted_ids": "messageIds accepted",
    "lost": "lost",
    "order_violations": "out of order",
    "commit_ahead": "a commit passed an unsettled message",
    "commits_backward": "commits of an old generation",
    "unknown_ids": "unknown messageIds accepted",
    "wrong_fates": "unexpected outcomes",
    "wrong_sources": "records that name a wrong source",
    "duplicates": "duplicates, all of known messageIds",
    "duplicates_after_lost_answers": "… after a lost answer",
    "duplicates_per_kill": "… the others, per kill",
    "duplicates_bound": "… maximum that is promised",
    "kills": "SIGKILLs",
    "worker_starts": "worker starts",
    "samples": "comparisons of commits with the ledger",
    "commits": "commits that Kafka stored",
    "refused_by_segment": "records dead-lettered by the sink",
    "lag_after_churn_seconds": "time until lag 0 after members came and went (s)",
    "unsettled": "unsettled at the end",
    "seconds": "seconds",
}


def table(report: dict[str, Any]) -> Table:
    """Build the closing table."""
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
    """Return a summary: the faults, how many requests each affected, and what Segment answered."""
    affected = report["affected_requests"]
    injected = (
        f"{name} ({count}{f', affected {affected[name]} requests' if name in affected else ''})"
        for name, count in report["faults"].items()
    )
    answered = (f"{status} ({count:,})" for status, count in report["answers"].items())
    return f"faults: {'; '.join(injected)}\nanswers of Segment: {', '.join(answered)}"


def recovery_table(report: dict[str, Any]) -> Table:
    """Build a table of the times from a kill to the first settled record."""
    drawn = Table(title="from SIGKILL to the successor's first settled record, seconds", title_justify="left")
    drawn.add_column("role")
    for part in PARTS:
        drawn.add_column(f"{part.replace('_', ' ')}: median, largest", justify="right")
    for role, parts in report["recovery_seconds"].items():
        drawn.add_row(role, *(f"{parts[part]['median']:.1f}, {parts[part]['largest']:.1f}" for part in PARTS))
    return drawn
