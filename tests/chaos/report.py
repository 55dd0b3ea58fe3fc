"""The figures of a run, as JSON and as a table, and the verdict."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rich.table import Table

from tests.chaos.recovery import PARTS, recovery_seconds
from tests.chaos.settings import REPEATED_PER_DISTURBANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.chaos.reckoning import Reckoning
    from tests.chaos.run import Outcome
    from tests.chaos.stage import Side, Stage

    Tell: TypeAlias = Callable[[str], None]

REPORT: Final = Path("build/chaos.json")


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return all figures that are worth keeping: the totals, and under ``destinations`` those of each destination."""
    stage, crew = outcome.stage, outcome.stage.crew
    sides = zip(stage.sides, outcome.reckonings, outcome.commits, strict=True)
    each = {found[0].destination.destination.value: _of_destination(stage, *found) for found in sides}
    total = {name: total_of([found[name] for found in each.values()]) for name in next(iter(each.values()))}
    by_workers = total["duplicates"] - total["duplicates_after_lost_answers"]
    return {
        "events": stage.writer.written,
        "rounds": stage.form.rounds,
        "seed": stage.form.seed,
        "seconds": round(outcome.seconds, 1),
        **total,
        "duplicates_per_kill": round(by_workers / max(1, total["kills"]), 1),
        "disruptions_beside_kills": stage.disruptions + sum(side.disruptions for side in stage.sides),
        "poison": dict(sorted(stage.writer.poison.items())),
        "faults": dict(sorted(stage.injected.items())),
        "unsettled": outcome.unsettled,
        "lag_after_churn_seconds": stage.lag_after_churn_seconds,
        "recovery_seconds": recovery_seconds(crew.recoveries),
        "worker_starts": crew.starts,
        "starts_without_a_broker": dict(crew.failed_starts),
        "refused_by_segment": each["segment"]["refused"],
        "destinations": each,
        "broken": broken(outcome),
    }


def _of_destination(stage: Stage, side: Side, reckoning: Reckoning, commits: int) -> dict[str, Any]:
    ledger, kills = side.ledger, _kills(stage, side)
    by_workers = reckoning.duplicates - ledger.repeats_after_lost_answers
    return {
        "kills": kills,
        "lost": reckoning.lost.count,
        "order_violations": reckoning.order.count,
        "late_after_refusal": reckoning.late_after_refusal,
        "duplicates": reckoning.duplicates,
        "duplicates_after_lost_answers": ledger.repeats_after_lost_answers,
        "duplicates_per_kill": round(by_workers / max(1, kills), 1),
        "duplicates_bound": bound(stage, side),
        "rewritten_records": reckoning.rewritten_records,
        "repeated_by_traffic": reckoning.repeated_by_traffic,
        "commit_ahead": bool(reckoning.commit_ahead.count),
        "commits_backward": reckoning.commit_backward.count,
        "commits": commits,
        "samples": ledger.samples,
        "samples_that_failed": dict(side.unsampled),
        "unknown_ids": reckoning.unknown_ids.count,
        "changed_ids": side.stand_in.changed,
        "wrong_fates": reckoning.wrong_fate.count,
        "wrong_sources": reckoning.wrong_source.count,
        "accepted_ids": reckoning.accepted_ids,
        "fates": reckoning.fates,
        "refused": reckoning.refused,
        "dead_letters": dict(sorted(ledger.letters.items())),
        "affected_requests": dict(sorted(side.affected.items())),
        "answers": {str(status): count for status, count in side.stand_in.ledger.summary().answers.items()},
    }


def total_of(values: Sequence[Any]) -> Any:
    """Add up what the destinations have of one figure."""
    match values[0]:
        case bool():
            return any(values)
        case dict():
            return {name: sum(each.get(name, 0) for each in values) for name in dict.fromkeys(chain(*values))}
        case _:
            return sum(values)


def _kills(stage: Stage, side: Side) -> int:
    return sum(stage.crew.kills_of[role] for role in side.destination.roles)


def bound(stage: Stage, side: Side) -> int:
    """Return how many duplicates are allowed: what was in hand at each kill, and requests whose answer was lost.

    What other disruptions repeat must fit into this number too; they count by themselves if no worker was killed.
    """
    disturbed = _kills(stage, side) or stage.disruptions + side.disruptions
    return disturbed * REPEATED_PER_DISTURBANCE + side.ledger.repeats_after_lost_answers


def broken(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every promise that was broken, with its evidence."""
    found: list[dict[str, Any]] = []
    others = [*outcome.stage.broken, *outcome.stage.crew.own_ends, *outcome.stage.crew.bad_stops]
    for side, reckoning in zip(outcome.stage.sides, outcome.reckonings, strict=True):
        title, most = side.destination.title, bound(outcome.stage, side)
        found += [
            {**asdict(finding), "promise": f"{title}: {finding.promise}"}
            for finding in reckoning.findings
            if finding.count
        ]
        if reckoning.duplicates > most:
            others.append(f"{title}: {reckoning.duplicates} duplicates, more than the allowed {most}")
        if side.stand_in.changed:
            others.append(f"{title}: {side.stand_in.changed} ids came again with another content")
    if outcome.unsettled:
        others.append(f"{outcome.unsettled} messages were not committed at the end")
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
    "accepted_ids": "ids accepted",
    "lost": "lost",
    "order_violations": "out of order",
    "late_after_refusal": "… late as a refusal allows",
    "commit_ahead": "a commit passed an unsettled message",
    "commits_backward": "commits of an old generation",
    "unknown_ids": "unknown ids accepted",
    "changed_ids": "ids that came again with another content",
    "wrong_fates": "unexpected outcomes",
    "wrong_sources": "records that name a wrong source",
    "duplicates": "duplicates, all of known ids",
    "duplicates_after_lost_answers": "… after a lost answer",
    "duplicates_per_kill": "… the others, per kill",
    "duplicates_bound": "… maximum that is promised",
    "kills": "SIGKILLs",
    "samples": "comparisons of commits with the ledger",
    "commits": "commits that Kafka stored",
    "refused": "records dead-lettered by the sink",
}
_ROWS_OF_THE_RUN: Final = {
    "events": "events written",
    "worker_starts": "worker starts",
    "lag_after_churn_seconds": "time until lag 0 after members came and went (s)",
    "unsettled": "unsettled at the end",
    "seconds": "seconds",
}


def table(report: dict[str, Any]) -> Table:
    """Build the closing table."""
    each = report["destinations"]
    drawn = Table(title=f"chaos, seed {report['seed']}", title_justify="left")
    for heading in ("what", *each, "both"):
        drawn.add_column(heading, justify="left" if heading == "what" else "right")
    for name, label in _ROWS.items():
        drawn.add_row(label, *(_shown(found[name]) for found in each.values()), _shown(report[name]))
    for name in report["dead_letters"]:
        counts = [found["dead_letters"].get(name, 0) for found in (*each.values(), report)]
        drawn.add_row(f"dead letters, {name}", *map(_shown, counts))
    for name, label in _ROWS_OF_THE_RUN.items():
        drawn.add_row(label, *[""] * len(each), _shown(report[name]))
    return drawn


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def faults(report: dict[str, Any]) -> str:
    """Return a summary: the faults, how many requests each affected, and what each destination answered."""
    lines = ["faults: " + "; ".join(f"{name} ({count})" for name, count in report["faults"].items())]
    for destination, found in report["destinations"].items():
        affected = (f"{name} ({count})" for name, count in found["affected_requests"].items())
        answered = (f"{status} ({count:,})" for status, count in found["answers"].items())
        lines.append(f"requests to {destination} that a fault affected: {'; '.join(affected)}")
        lines.append(f"answers of {destination}: {', '.join(answered)}")
    return "\n".join(lines)


def recovery_table(report: dict[str, Any]) -> Table:
    """Build a table of the times from a kill to the first settled record."""
    drawn = Table(title="from SIGKILL to the successor's first settled record, seconds", title_justify="left")
    drawn.add_column("role")
    for part in PARTS:
        drawn.add_column(f"{part.replace('_', ' ')}: median, largest", justify="right")
    for role, parts in report["recovery_seconds"].items():
        drawn.add_row(role, *(f"{parts[part]['median']:.1f}, {parts[part]['largest']:.1f}" for part in PARTS))
    return drawn
