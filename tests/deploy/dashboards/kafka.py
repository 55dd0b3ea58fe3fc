"""Kafka and workers: lag against retention, commits and rebalances, memory, breakers, and whether it adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import ZERO_IS_GOOD, Board, Look, Panel, Row, Series, number, one, steps
from tests.deploy.dashboards.queries import WORKER

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope

_WORKER = "{{role}} {{instance}}"


def kafka(scope: Scope) -> Board:
    """Build the board of the workers and what they read."""
    return Board(
        name="kafka",
        title="OneSignal pipeline: Kafka and workers",
        description="What waits in Kafka and for how long, what workers commit, how much memory they have left.",
        rows=(_now(scope), _lag(scope), _work(scope), _memory(scope), _dead_letters(scope), _accounts(scope)),
    )


def lag_of_retention(scope: Scope) -> str:
    """Say which share of its time in Kafka the oldest message that a worker has not settled has used up."""
    lag = f"max by ({', '.join(WORKER)}) ({scope.series('consumer_lag_seconds')})"
    return f"{lag} / on ({', '.join(WORKER)}) {scope.series('source_retention_seconds')}"


def memory_share(scope: Scope) -> str:
    """Say which share of its memory each worker uses."""
    resident = scope.foreign("process_resident_memory_bytes")
    return f"{resident} / on ({', '.join(WORKER)}) {scope.series('memory_limit_bytes')}"


def _now(scope: Scope) -> Row:
    info = scope.series("build_info")
    return Row(
        title="Now",
        panels=(
            number(
                "Workers", "Workers that are scraped, by role.", f"count by (role) ({info})", name="{{role}}", width=6
            ),
            number(
                "Longest without progress",
                "Seconds since the slowest partition of any worker got on, of those where messages wait.",
                f"max({scope.series('seconds_since_progress')})",
                unit="s",
                colours=steps(60, 300),
                decimals=0,
                width=6,
            ),
            number(
                "Most retention used up",
                "Age of the oldest message that is not settled, against how long its topic keeps it. At 100 % Kafka "
                "deletes messages that nobody has read.",
                f"max({lag_of_retention(scope)})",
                unit="percentunit",
                colours=steps(0.25, 0.5),
                decimals=2,
                width=6,
            ),
            number(
                "Fullest memory",
                "Resident memory of a worker against what its container may use.",
                f"max({memory_share(scope)})",
                unit="percentunit",
                colours=steps(0.75, 0.9),
                decimals=1,
                width=6,
            ),
        ),
    )


def _lag(scope: Scope) -> Row:
    messages, seconds = scope.series("consumer_lag_messages"), scope.series("consumer_lag_seconds")
    return Row(
        title="What waits",
        panels=(
            Panel(
                title="Lag in messages",
                description="Not committed, by role: of the raw topic (processor) and of the records topic (sink).",
                unit="short",
                series=one(f"sum by (role) ({scope.with_role(messages)})", "{{role}}"),
            ),
            Panel(
                title="Retention used up",
                description="Age of the oldest message that is not settled, against how long its topic keeps it: at "
                "100 % Kafka deletes it. The alert comes at half.",
                unit="percentunit",
                steps=steps(0.25, 0.5),
                series=one(f"max by (role) ({scope.with_role(lag_of_retention(scope))})", "{{role}}"),
            ),
            Panel(
                title="Lag in seconds, worst and median partition",
                description="The worst far above the median: a hold that concerns one partition, or a key with more "
                "events than a partition can take. topk(5, onesignal_pipeline_consumer_lag_seconds) names it.",
                unit="s",
                series=(
                    Series(query=f"max by (role) ({scope.with_role(seconds)})", name="{{role}}, worst"),
                    Series(query=f"quantile by (role) (0.5, {scope.with_role(seconds)})", name="{{role}}, median"),
                ),
            ),
            Panel(
                title="Hidden by open transactions",
                description="Messages that are stored and that nobody can read yet, for a transaction of a producer is "
                "open before them. They are not in the lag.",
                unit="short",
                series=one(f"sum by (role) ({scope.with_role(scope.series('hidden_messages'))})", "{{role}}"),
            ),
            Panel(
                title="Hidden by the same transaction",
                description="For how long, in the worst partition. The alert comes after ten minutes.",
                unit="s",
                steps=steps(60, 600),
                series=one(f"max by (role) ({scope.with_role(scope.series('hidden_seconds'))})", "{{role}}"),
            ),
        ),
    )


def _work(scope: Scope) -> Row:
    window = scope.window
    rebalances = f"increase({scope.series('rebalances_total')}[5m])"
    return Row(
        title="Work",
        panels=(
            Panel(
                title="Commits",
                description="Confirmed, and not confirmed (tried again; many: brokers are away, or rebalances).",
                unit="cps",
                width=6,
                series=(
                    Series(query=f"sum(rate({scope.series('commits_total')}[{window}]))", name="confirmed"),
                    Series(query=f"sum(rate({scope.series('commits_failed_total')}[{window}]))", name="not confirmed"),
                ),
            ),
            Panel(
                title="Rebalances",
                description="Assignments taken up in five minutes. They come with deployments and scaling; others are "
                "workers that fall out of their group.",
                unit="short",
                width=6,
                series=one(
                    f"sum by (role) ({scope.with_role(rebalances)})",
                    "{{role}}",
                ),
            ),
            Panel(
                title="Repeated writes",
                description="Writes to Kafka that brokers did not confirm at once. Nothing is lost or written twice.",
                unit="cps",
                width=6,
                series=one(f"sum(rate({scope.series('write_retries_total')}[{window}]))", "writes"),
            ),
            Panel(
                title="Batches that a topic takes",
                description="Bytes before compression. Lower than 512 KiB: Kafka refused a larger one. Raise "
                "max.message.bytes of the topic, then restart the workers.",
                unit="bytes",
                width=6,
                series=one(f"min by (topic) ({scope.series('write_batch_limit_bytes')})", "{{topic}}"),
            ),
            Panel(
                title="Keys that are not the user's",
                description="Events whose message is not keyed by their user: the order of a user's events is not "
                "promised for them. Key the raw topic by external id, else by subscription id.",
                unit="cps",
                width=6,
                series=one(f"sum(rate({scope.series('events_foreign_key_total')}[{window}]))", "events"),
            ),
            Panel(
                title="Partitions assigned",
                description="By worker. A worker without any is one more than there are partitions.",
                unit="short",
                width=6,
                series=one(scope.with_role(scope.series("assigned_partitions")), _WORKER),
            ),
            Panel(
                title="Running for",
                description="Time since each worker started. It falls to 0 where one was replaced, or fell over.",
                unit="s",
                width=6,
                series=one(scope.with_role(f"time() - {scope.foreign('process_start_time_seconds')}"), _WORKER),
            ),
            Panel(
                title="Clocks",
                description="How far each worker's clock is ahead of the brokers', negative when it is behind. The "
                "alert comes at 30 s; beyond PIPELINE_CLOCK_MAX_DIFFERENCE_SECONDS a worker holds.",
                unit="s",
                width=6,
                series=one(scope.with_role(scope.series("clock_difference_seconds")), _WORKER),
            ),
        ),
    )


def _memory(scope: Scope) -> Row:
    cpu = f"rate({scope.foreign('process_cpu_seconds_total')}[{scope.window}])"
    return Row(
        title="Workers",
        panels=(
            Panel(
                title="Memory",
                description="Resident memory of each worker.",
                unit="bytes",
                series=one(scope.with_role(scope.foreign("process_resident_memory_bytes")), _WORKER),
            ),
            Panel(
                title="Messages in hand",
                description="Fetched and not settled, of all partitions of a worker.",
                unit="short",
                series=one(scope.with_role(scope.series("messages_in_hand")), _WORKER),
            ),
            Panel(
                title="Full partitions",
                description="The share of its partitions of which a worker fetches no more, because so much of them is "
                "unsettled, in messages or in bytes. High for long: the destination is slower than the source.",
                unit="percentunit",
                most=1.0,
                series=one(
                    scope.with_role(f"{scope.series('full_partitions')} / {scope.series('assigned_partitions')}"),
                    _WORKER,
                ),
            ),
            Panel(
                title="CPU",
                description="Cores that each worker uses. A worker is one thread and a little: at 1 it is at its end.",
                unit="short",
                series=one(scope.with_role(cpu), _WORKER),
            ),
        ),
    )


def _dead_letters(scope: Scope) -> Row:
    by = "stage, reason"
    return Row(
        title="Dead letters and holds",
        panels=(
            Panel(
                title="Dead letters by stage and reason",
                description="Stored and confirmed. The topic has the message's own bytes, with why and where from.",
                unit="cps",
                look=Look.STACKED,
                under_faults=True,
                series=one(
                    f"sum by ({by}) (rate({scope.series('dead_letters_total')}[{scope.window}]))",
                    "{{stage}}: {{reason}}",
                ),
            ),
            Panel(
                title="Breaker",
                description="Share of dead letters among a worker's last messages, and where it begins to hold: that "
                "many of them are a broken deployment and not bad records.",
                unit="percentunit",
                series=(
                    Series(
                        query=f"max by (role) ({scope.with_role(scope.series('breaker_share_ratio'))})",
                        name="{{role}}",
                    ),
                    Series(query=f"min({scope.series('breaker_limit_ratio')})", name="limit"),
                ),
            ),
            Panel(
                title="Holding or trying again",
                description="1 while a worker holds for that reason, or sends again what was not taken. The runbook's "
                "sections of the alerts Holding and NothingTaken say what to do.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=(
                    Series(query=f"max by (reason) ({scope.series('holding')})", name="{{reason}}"),
                    Series(
                        query=f"max by (role) ({scope.with_role(scope.series('retrying'))})",
                        name="{{role}} tries again",
                    ),
                ),
            ),
        ),
    )


def _accounts(scope: Scope) -> Row:
    return Row(
        title="It adds up",
        panels=(
            Panel(
                title="Processor",
                description="Events received, less forwarded, dropped, rejected, given back and in flight: 0 for each "
                "worker, always.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=one(scope.processor_gap(), "{{instance}}"),
            ),
            Panel(
                title="Sink",
                description="Records received, less accepted, rejected, given back and in flight: 0 for each worker, "
                "always.",
                unit="short",
                steps=ZERO_IS_GOOD,
                series=one(scope.sink_gap(), "{{instance}}"),
            ),
            Panel(
                title="From processor to Segment",
                description="Forwarded in an hour, less what the sink settled and what waits more than before: about "
                "0. Less than 0 was sent again after a redelivery; much more than 0 for long has not arrived.",
                unit="short",
                series=one(scope.arrival_gap(), "records"),
            ),
        ),
    )
