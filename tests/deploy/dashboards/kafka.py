"""Kafka and workers: consumer lag and retention, commits and rebalances, memory, breakers, accounting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import (
    EVENTS,
    MESSAGES,
    ZERO_IS_GOOD,
    Board,
    Look,
    Panel,
    Row,
    Series,
    number,
    one,
    steps,
)
from tests.deploy.dashboards.queries import WORKER

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope

_WORKER = "{{role}} {{instance}}"
_ROLE = "{{destination}}: {{role}}"


def kafka(scope: Scope) -> Board:
    """Build the board of the workers and of what they read."""
    return Board(
        name="kafka",
        title="OneSignal pipeline: Kafka and workers",
        description="Consumer lag, commits, rebalances, memory and accounting of the workers.",
        rows=(_now(scope), _lag(scope), _clients(scope), _workers(scope), _dead_letters(scope), _accounting(scope)),
    )


def lag_of_retention(scope: Scope) -> str:
    """Return the age of a worker's oldest unsettled message as a share of its topic's retention."""
    lag = f"max by ({', '.join(WORKER)}) ({scope.worker('consumer_lag_seconds')})"
    return f"{lag} / on ({', '.join(WORKER)}) {scope.worker('source_retention_seconds')}"


def memory_share(scope: Scope) -> str:
    """Return the share of its memory that each worker uses."""
    resident = scope.foreign("process_resident_memory_bytes")
    return f"{resident} / on ({', '.join(WORKER)}) {scope.worker('memory_limit_bytes')}"


def _now(scope: Scope) -> Row:
    info = scope.series("build_info")
    return Row(
        title="Now",
        panels=(
            number(
                "Workers",
                "Workers that Prometheus scrapes, by role.",
                f"count by (destination, role) ({info})",
                name=_ROLE,
                width=6,
            ),
            number(
                "Longest without progress",
                "Time since the slowest partition with waiting messages made progress, over all workers.",
                f"max({scope.with_role(scope.worker('seconds_since_progress'))})",
                unit="s",
                colours=steps(60, 300),
                decimals=0,
                width=6,
            ),
            number(
                "Retention used, worst",
                "Age of the oldest unsettled message as a share of its topic's retention. At 100 % Kafka deletes "
                "unread messages.",
                f"max({scope.with_role(lag_of_retention(scope))})",
                unit="percentunit",
                colours=steps(0.25, 0.5),
                decimals=2,
                width=6,
            ),
            number(
                "Memory used, worst",
                "Resident memory of a worker as a share of the limit of its container.",
                f"max({scope.with_role(memory_share(scope))})",
                unit="percentunit",
                colours=steps(0.75, 0.9),
                decimals=1,
                width=6,
            ),
        ),
    )


def _by_role(scope: Scope, counter: str) -> str:
    rate = f"rate({scope.worker(counter)}[{scope.window}])"
    return f"sum by (destination, role) ({scope.with_role(rate)})"


def _lag(scope: Scope) -> Row:
    messages, seconds = scope.worker("consumer_lag_messages"), scope.worker("consumer_lag_seconds")
    hidden, hidden_seconds = (scope.with_role(scope.worker(name)) for name in ("hidden_messages", "hidden_seconds"))
    return Row(
        title="Consumer lag",
        panels=(
            Panel(
                title="Lag in messages",
                description="Uncommitted messages in the raw topic (processor) and in the records topic (sink).",
                unit="short",
                series=one(f"sum by (destination, role) ({scope.with_role(messages)})", _ROLE),
            ),
            Panel(
                title="Retention used",
                description="Age of the oldest unsettled message as a share of its topic's retention. At 100 % Kafka "
                "deletes it. The alert fires at 50 %.",
                unit="percentunit",
                steps=steps(0.25, 0.5),
                series=one(f"max by (destination, role) ({scope.with_role(lag_of_retention(scope))})", _ROLE),
            ),
            Panel(
                title="Lag in seconds, worst and median partition",
                description="If the worst is far above the median, one partition holds, or one key has more events "
                "than a partition can take. topk(5, onesignal_pipeline_consumer_lag_seconds) names it.",
                unit="s",
                series=(
                    Series(query=f"max by (destination, role) ({scope.with_role(seconds)})", name=f"{_ROLE}, worst"),
                    Series(
                        query=f"quantile by (destination, role) (0.5, {scope.with_role(seconds)})",
                        name=f"{_ROLE}, median",
                    ),
                ),
            ),
            Panel(
                title="Hidden by open transactions",
                description="Stored messages that cannot be read before a producer's open transaction ends. They are "
                "not part of the lag.",
                unit="short",
                width=12,
                series=one(f"sum by (destination, role) ({hidden})", _ROLE),
            ),
            Panel(
                title="Longest open transaction",
                description="How long the same transaction has hidden messages, in the worst partition. The alert "
                "fires after ten minutes.",
                unit="s",
                width=12,
                steps=steps(60, 600),
                series=one(f"max by (destination, role) ({hidden_seconds})", _ROLE),
            ),
        ),
    )


def _clients(scope: Scope) -> Row:
    rebalances = f"increase({scope.worker('rebalances_total')}[5m])"
    return Row(
        title="Kafka clients",
        panels=(
            Panel(
                title="Commits",
                description="Confirmed and failed offset commits. A later commit includes the offsets of a failed one. "
                "Many failures: brokers are unavailable, or rebalances.",
                unit="count:commits/s",
                width=6,
                series=(
                    Series(query=_by_role(scope, "commits_total"), name=f"{_ROLE}, confirmed"),
                    Series(query=_by_role(scope, "commits_failed_total"), name=f"{_ROLE}, failed"),
                ),
            ),
            Panel(
                title="Rebalances",
                description="Partition assignments in five minutes. Deployments and scaling cause them; otherwise a "
                "worker was removed from its group.",
                unit="short",
                width=6,
                series=one(f"sum by (destination, role) ({scope.with_role(rebalances)})", _ROLE),
            ),
            Panel(
                title="Retried writes",
                description="Writes to Kafka that brokers did not confirm at once. Nothing is lost or written twice.",
                unit="count:writes/s",
                width=6,
                series=one(_by_role(scope, "write_retries_total"), _ROLE),
            ),
            Panel(
                title="Batch limit by topic",
                description="Most bytes of a batch before compression. If it is lower than 512 KiB, Kafka refused a "
                "larger batch: raise max.message.bytes of the topic, then restart the workers.",
                unit="bytes",
                width=6,
                series=one(f"min by (topic) ({scope.worker('write_batch_limit_bytes')})", "{{topic}}"),
            ),
            Panel(
                title="Foreign keys",
                description="Events whose message is not keyed by their user. The order of the user's events is not "
                "guaranteed. Key the raw topic by external id, else by subscription id.",
                unit=EVENTS,
                width=6,
                series=one(scope.rate("events_foreign_key_total", "destination"), "{{destination}}"),
            ),
            Panel(
                title="Assigned partitions",
                description="By worker. A worker without partitions is idle: there are more workers than partitions.",
                unit="short",
                width=6,
                series=one(scope.with_role(scope.worker("assigned_partitions")), _WORKER),
            ),
            Panel(
                title="Uptime",
                description="Time since each worker started. It drops to 0 when a worker is replaced or crashes.",
                unit="s",
                width=6,
                series=one(scope.with_role(f"time() - {scope.foreign('process_start_time_seconds')}"), _WORKER),
            ),
            Panel(
                title="Clock offset",
                description="How far each worker's clock is ahead of the brokers'; negative when it is behind. The "
                "alert fires at 30 s; beyond PIPELINE_CLOCK_MAX_DIFFERENCE_SECONDS a worker holds.",
                unit="s",
                width=6,
                series=one(scope.with_role(scope.worker("clock_difference_seconds")), _WORKER),
            ),
        ),
    )


def _workers(scope: Scope) -> Row:
    cpu = f"rate({scope.foreign('process_cpu_seconds_total')}[{scope.window}])"
    return Row(
        title="Workers",
        panels=(
            Panel(
                title="Memory",
                description="Resident memory of each worker.",
                unit="bytes",
                width=6,
                series=one(scope.with_role(scope.foreign("process_resident_memory_bytes")), _WORKER),
            ),
            Panel(
                title="Messages in hand",
                description="Fetched and unsettled messages of all partitions of a worker.",
                unit="short",
                width=6,
                series=one(scope.with_role(scope.worker("messages_in_hand")), _WORKER),
            ),
            Panel(
                title="Full partitions",
                description="Share of its partitions that a worker does not fetch, because their unsettled messages "
                "reached the limit in number or bytes. High for long: the destination is slower than the source.",
                unit="percentunit",
                width=6,
                most=1.0,
                series=one(
                    scope.with_role(f"{scope.worker('full_partitions')} / {scope.worker('assigned_partitions')}"),
                    _WORKER,
                ),
            ),
            Panel(
                title="CPU",
                description="Cores that each worker uses. A worker runs mostly in one thread: near 1 it is saturated.",
                unit="short",
                width=6,
                series=one(scope.with_role(cpu), _WORKER),
            ),
        ),
    )


def _dead_letters(scope: Scope) -> Row:
    letters = f"rate({scope.worker('dead_letters_total')}[{scope.window}])"
    return Row(
        title="Dead letters and holds",
        panels=(
            Panel(
                title="Dead letters, by stage and reason",
                description="Dead letters stored and confirmed. Each has the bytes of the message, the reason and the "
                "origin.",
                unit=MESSAGES,
                look=Look.STACKED,
                under_faults=True,
                series=one(
                    f"sum by (destination, stage, reason) ({scope.with_role(letters)})",
                    "{{destination}}: {{stage}}: {{reason}}",
                ),
            ),
            Panel(
                title="Breaker",
                description="Share of dead letters among the last messages of a worker, and the limit above which it "
                "holds: so many point to a broken deployment, not to single bad records.",
                unit="percentunit",
                series=(
                    Series(
                        query=f"max by (destination, role) ({scope.with_role(scope.series('breaker_share_ratio'))})",
                        name=_ROLE,
                    ),
                    Series(
                        query=f"min by (destination) ({scope.series('breaker_limit_ratio')})",
                        name="{{destination}} limit",
                    ),
                ),
            ),
            Panel(
                title="Holds and retries",
                description="1 while a worker holds for a reason, or retries what was not accepted. The runbook's "
                "sections of the alerts Holding and RetriesFailing say what to do.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=(
                    Series(
                        query=f"max by (destination, reason) ({scope.with_role(scope.worker('holding'))})",
                        name="{{destination}}: {{reason}}",
                    ),
                    Series(
                        query=f"max by (destination, role) ({scope.with_role(scope.worker('retrying'))})",
                        name=f"{_ROLE} retries",
                    ),
                ),
            ),
        ),
    )


def _accounting(scope: Scope) -> Row:
    return Row(
        title="Accounting",
        panels=(
            Panel(
                title="Unaccounted events",
                description="Events received minus forwarded, dropped, rejected, given back and in flight: always 0 "
                "for each processor.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=one(scope.processor_gap(), "{{destination}} {{instance}}"),
            ),
            Panel(
                title="Unaccounted records",
                description="Records received minus accepted, rejected, given back and in flight: always 0 for each "
                "sink.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=one(scope.sink_gap(), "{{destination}} {{instance}}"),
            ),
            Panel(
                title="Forwarded and not delivered",
                description="Records forwarded in an hour minus those that the sink settled and the growth of its lag: "
                "about 0. Negative: records were sent again after a redelivery. Far above 0 for long: records have not "
                "arrived.",
                unit="short",
                series=one(scope.arrival_gap(), "{{destination}}"),
            ),
        ),
    )
