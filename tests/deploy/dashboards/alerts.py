"""The alerts, as a plain rules file; the chart wraps it into a PrometheusRule."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import yaml

from tests.deploy.dashboards.kafka import lag_of_retention, memory_share
from tests.deploy.dashboards.queries import PROCESSOR, RELEASE, SINK, WORKER, Scope, where

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNBOOK: Final = "deploy/runbook.md"
"""A page of this repository; the chart puts the address of the copy that you read in its place."""
GROUP: Final = "onesignal-pipeline"
NAME: Final = "OneSignalPipeline"
BUDGET: Final = 0.01
"""The share of records that may be late: the objective is 99 % within a minute."""
FAST_BURN, SLOW_BURN = 14.4, 6.0
"""Burn rates that use up 2 % of a month's budget in an hour, and 5 % in six hours (SRE Workbook, chapter 5)."""
LATE_LEAST = DEAD_LETTERS_LEAST = 10
"""Late records, or dead letters, that wake nobody: where little flows, one is a large share already."""
CLOCK_SECONDS: Final = 30
NOT_BREAKER: Final = 'reason!="breaker"'
STUCK_SECONDS: Final = 300
YOUNG_SECONDS: Final = 120
"""A worker that is younger may be one that dies soon after each start: it does not count as there."""
ARRIVAL_LEAST: Final = 1_000
"""Records that seem lost in an hour before it counts: Prometheus extrapolates, and scrapes are not simultaneous."""


class Severity(StrEnum):
    """Whom an alert reaches: `critical` wakes somebody, `warning` waits for the morning."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    ``watched`` are the values that it compares; they have samples also while it is silent. ``rule`` is the whole.
    """

    name: str
    severity: Severity
    watched: tuple[str, ...]
    rule: str
    lasting: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def runbook_url(self) -> str:
        return f"{RUNBOOK}#{self.name.lower()}"

    def as_rule(self) -> dict[str, object]:
        """Give it as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": " ".join(self.rule.split()),
            "for": self.lasting,
            "labels": {"severity": self.severity.value, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": self.runbook_url,
            },
        }


_WHERE: Final = "{{ $labels.namespace }}/{{ $labels.release }}"


def alerts() -> tuple[Alert, ...]:
    """List every alert."""
    scope = Scope()
    return (*_lateness(scope), *_lag(scope), *_accounts(scope), *_dead_letters(scope), *_worker(scope))


def as_yaml() -> str:
    """Write the rules file."""
    rules = [alert.as_rule() for alert in alerts()]
    head = "# Written by `make docs` out of tests/deploy/dashboards/alerts.py; a test compares it.\n"
    return head + yaml.safe_dump({"groups": [{"name": GROUP, "rules": rules}]}, sort_keys=False, width=118)


def _lateness(scope: Scope) -> tuple[Alert, ...]:
    def burns(name: str, severity: Severity, rate: float, windows: tuple[str, str], lasting: str) -> Alert:
        shares = tuple(f"({scope.late_share(*RELEASE, window=window)})" for window in windows)
        late = scope.late_records(*RELEASE, window=windows[-1])
        return Alert(
            name=f"{NAME}EventsLate{name}",
            severity=severity,
            watched=(*shares, late),
            rule="\nand\n".join((*(f"{share} > {rate * BUDGET:.3g}" for share in shares), f"{late} > {LATE_LEAST}")),
            lasting=lasting,
            summary=f"Events reach Segment late in {_WHERE}",
            description=(
                "{{ $value | humanizePercentage }} of the records that Segment accepted in the last "
                f"{windows[0]} were more than a minute old; the objective is at most 1 %."
            ),
        )

    return (
        burns("Fast", Severity.CRITICAL, FAST_BURN, ("5m", "1h"), "2m"),
        burns("Slow", Severity.WARNING, SLOW_BURN, ("30m", "6h"), "15m"),
    )


def _lag(scope: Scope) -> tuple[Alert, ...]:
    worker = ", ".join(WORKER)
    lag = f"sum by ({worker}) ({scope.series('consumer_lag_messages')})"
    idle = f"sum by ({worker}) ({scope.series('seconds_since_progress')})"
    holds = f"max by ({worker}) ({scope.series('holding')})"
    retries = f"max by ({worker}) ({scope.series('retrying')})"
    # A probe that restarts the worker starts its clock anew, so what was committed in a longer time counts too.
    commits = f"sum by ({worker}) (increase({scope.series('commits_total')}[10m]))"
    unmoved = f"({commits} == 0 and {lag} > 0) unless {holds} == 1 unless {retries} == 1"
    still = f"sum by ({worker}) ({scope.series('stuck_seconds')})"
    stuck = f"{still} > {STUCK_SECONDS} or ({unmoved})"
    not_taken = f"({idle} > {STUCK_SECONDS} and {lag} > 0 and {retries} == 1) unless {holds} == 1"
    used_up = lag_of_retention(scope)
    hidden = f"max by ({worker}) ({scope.series('hidden_seconds')})"
    return (
        Alert(
            name=f"{NAME}Stuck",
            severity=Severity.CRITICAL,
            watched=(lag, still, commits, holds, retries),
            rule=stuck,
            lasting="4m",
            summary=f"A partition of a worker in {_WHERE} does not get on",
            description="{{ $labels.instance }} has messages of which it commits nothing, for no known reason.",
        ),
        Alert(
            name=f"{NAME}NothingTaken",
            severity=Severity.CRITICAL,
            watched=(lag, idle, holds, retries),
            rule=not_taken,
            lasting="5m",
            summary=f"What a worker in {_WHERE} sends of a partition is not taken",
            description=(
                "{{ $labels.instance }} has sent the same again for {{ $value | humanizeDuration }}: Segment, or "
                "Kafka, is sick or out of reach. Events wait in Kafka and are late."
            ),
        ),
        Alert(
            name=f"{NAME}MessagesHidden",
            severity=Severity.CRITICAL,
            watched=(hidden,),
            rule=f"{hidden} > 600",
            lasting="1m",
            summary=f"Events in {_WHERE} are hidden by a transaction that does not end",
            description=(
                "The same transaction of a producer has hidden messages of a partition of {{ $labels.instance }} for "
                "{{ $value | humanizeDuration }}. They are not in the lag, and nobody can read them until it ends."
            ),
        ),
        Alert(
            name=f"{NAME}LagNearRetention",
            severity=Severity.CRITICAL,
            watched=(used_up,),
            rule=f"{used_up} > 0.5",
            lasting="5m",
            summary=f"Events in {_WHERE} are about to be deleted unread",
            description=(
                "The oldest message that {{ $labels.instance }} has not settled has used up "
                "{{ $value | humanizePercentage }} of its topic's retention; at 100 % Kafka deletes it."
            ),
        ),
    )


def _accounts(scope: Scope) -> tuple[Alert, ...]:
    name, severity = f"{NAME}AccountingGap", Severity.CRITICAL
    forwarded = scope.increase("events_forwarded_total", 1)
    gap = f"({scope.arrival_gap()})"
    inside = tuple(
        Alert(
            name=name,
            severity=severity,
            watched=(expression,),
            rule=f"abs({expression}) > 0",
            lasting="5m",
            labels={"between": role},
            summary=f"The accounts of a {role} in {_WHERE} do not add up",
            description=(
                "{{ $labels.instance }} has received {{ $value }} messages that are neither settled nor in hand. "
                "That is a fault of the program."
            ),
        )
        for role, expression in ((PROCESSOR, scope.processor_gap()), (SINK, scope.sink_gap()))
    )
    between = Alert(
        name=name,
        severity=severity,
        watched=(gap, forwarded),
        rule=f"{gap} > clamp_min({BUDGET} * {forwarded}, {ARRIVAL_LEAST})",
        lasting="30m",
        labels={"between": "processor-and-sink"},
        summary=f"Forwarded events in {_WHERE} do not arrive at the sink",
        description=(
            "{{ $value | humanize }} of the records forwarded in the last hour were neither settled by the sink nor "
            "wait for it in Kafka."
        ),
    )
    return (*inside, between)


def _dead_letters(scope: Scope) -> tuple[Alert, ...]:
    share, letters = scope.dead_letter_share(*RELEASE, window="15m"), scope.dead_letters(*RELEASE, window="15m")
    return (
        Alert(
            name=f"{NAME}DeadLetters",
            severity=Severity.WARNING,
            watched=(share, letters),
            rule=f"{share} > 0.01\nand\n{letters} > {DEAD_LETTERS_LEAST}",
            lasting="15m",
            summary=f"Many events in {_WHERE} become dead letters",
            description=(
                "{{ $value | humanizePercentage }} of the messages of the last 15 minutes could not be used and were "
                "stored as dead letters."
            ),
        ),
    )


def _worker(scope: Scope) -> tuple[Alert, ...]:
    reasons = ("namespace", "release", "reason")
    breaker = f"max by ({', '.join(reasons)}) ({scope.series('holding', where('reason', 'breaker'))})"
    others = f"max by ({', '.join(reasons)}) ({scope.series('holding', NOT_BREAKER)})"
    refused = f"max by ({', '.join(RELEASE)}) ({scope.series('rules_reload_failing')})"
    key = f"max by ({', '.join(RELEASE)}) ({scope.series('sink_credentials_reload_failing')})"
    clock = f"max by ({', '.join(RELEASE)}) (abs({scope.series('clock_difference_seconds')}))"
    doubtful = f"sum by ({', '.join(RELEASE)}) (rate({scope.series('sink_doubtful_answers_total')}[10m]))"
    memory = memory_share(scope)
    roles = ", ".join((*RELEASE, "role"))
    here = f"group by ({roles}) ({scope.series('build_info')} unless {scope.younger(YOUNG_SECONDS)})"
    ages = scope.with_role(f"time() - {scope.foreign('process_start_time_seconds')}")
    before = f"group by ({roles}) (last_over_time({scope.series('build_info')}[6h]))"
    return (
        Alert(
            name=f"{NAME}BreakerOpen",
            severity=Severity.CRITICAL,
            watched=(breaker,),
            rule=f"{breaker} == 1",
            lasting="1m",
            summary=f"A worker in {_WHERE} holds: too many events would be dead letters",
            description="Nothing of them is written and nothing is lost. /readyz and the log name the reasons.",
        ),
        Alert(
            name=f"{NAME}Holding",
            severity=Severity.CRITICAL,
            watched=(others,),
            rule=f"{others} == 1",
            lasting="2m",
            summary=f"A worker in {_WHERE} holds: {{{{ $labels.reason }}}}",
            description="Nothing is lost, nothing is sent, until somebody acts. /readyz and the log say what to check.",
        ),
        Alert(
            name=f"{NAME}ClockWrong",
            severity=Severity.WARNING,
            watched=(clock,),
            rule=f"{clock} > {CLOCK_SECONDS}",
            lasting="5m",
            summary=f"The clock of a worker in {_WHERE} is wrong",
            description=(
                "It is {{ $value | humanizeDuration }} from the brokers'. Segment shifts the time of every event that "
                "such a sink sends; beyond PIPELINE_CLOCK_MAX_DIFFERENCE_SECONDS the worker holds."
            ),
        ),
        Alert(
            name=f"{NAME}DoubtfulAnswers",
            severity=Severity.CRITICAL,
            watched=(doubtful,),
            rule=f"{doubtful} > 0",
            lasting="2m",
            summary=f"What answers for Segment in {_WHERE} may not be Segment",
            description="Requests get a 2xx, so their records count as accepted, with a web page or a denial of "
            "success in it. They may be lost: the log of the sinks says what came.",
        ),
        Alert(
            name=f"{NAME}RulesReloadFailing",
            severity=Severity.WARNING,
            watched=(refused,),
            rule=f"{refused} == 1",
            lasting="5m",
            summary=f"A change of the rules in {_WHERE} was refused",
            description="The rules from before stay in force. /readyz and the log of the processors say what is wrong.",
        ),
        Alert(
            name=f"{NAME}WriteKeyReloadFailing",
            severity=Severity.WARNING,
            watched=(key,),
            rule=f"{key} == 1",
            lasting="5m",
            summary=f"The file of the write key in {_WHERE} cannot be used",
            description="The key from before stays in use. /readyz and the log of the sinks say what is wrong.",
        ),
        Alert(
            name=f"{NAME}MemoryNearBound",
            severity=Severity.WARNING,
            watched=(memory,),
            rule=f"{memory} > 0.9",
            lasting="10m",
            summary=f"A worker in {_WHERE} is about to run out of memory",
            description="{{ $labels.instance }} uses {{ $value | humanizePercentage }} of the memory that it may use.",
        ),
        Alert(
            name=f"{NAME}NoWorkers",
            severity=Severity.CRITICAL,
            watched=(ages, before),
            rule=f"{before} unless {here}",
            lasting="7m",
            summary=f"No {{{{ $labels.role }}}} of {_WHERE} is there",
            description=(
                "There was one within six hours; one that is younger than two minutes does not count. What comes in "
                "waits in Kafka until its retention ends."
            ),
        ),
    )
