"""Overview: health, throughput and savings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import (
    EVENTS,
    RECORDS,
    ZERO_IS_GOOD,
    Board,
    Look,
    Panel,
    Row,
    Series,
    number,
    one,
    steps,
    steps_down,
)

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope


def overview(scope: Scope) -> Board:
    """Build the first board to look at."""
    return Board(
        name="overview",
        title="OneSignal pipeline: Overview",
        description="Health of the workers, throughput, and what the filters save.",
        rows=(_health(scope), _throughput(scope), _savings(scope)),
    )


def _health(scope: Scope) -> Row:
    not_ready, holding = scope.with_role(f"1 - {scope.worker('ready')}"), scope.with_role(scope.worker("holding"))
    return Row(
        title="Health",
        panels=(
            number(
                "Workers not ready",
                "Workers whose /readyz does not report ready: they are starting or holding, or Kafka is unavailable. "
                "/readyz gives the reason.",
                f"sum({not_ready})",
                colours=ZERO_IS_GOOD,
            ),
            number(
                "Active holds",
                "Reasons for which workers hold. Nothing is lost and nothing is sent until an operator acts: see the "
                "alert's section in the runbook.",
                f"sum(max by (namespace, release, destination, reason) ({holding}))",
                colours=ZERO_IS_GOOD,
            ),
            number(
                "Oldest unsettled event",
                "How long the oldest unsettled message has been in Kafka, in either topic.",
                f"max({scope.with_role(scope.worker('consumer_lag_seconds'))})",
                unit="s",
                colours=steps(60, 300),
                decimals=1,
            ),
            number(
                "Late events",
                "Share of records that the destination accepted more than a minute after OneSignal's event. The "
                "objective is at most 1 %.",
                scope.late_share("destination"),
                unit="percentunit",
                colours=steps(0.01, 0.1),
                decimals=2,
                name="{{destination}}",
            ),
            number(
                "Dead letters",
                "Share of messages that are unusable and were stored as dead letters.",
                scope.dead_letter_share("destination"),
                unit="percentunit",
                colours=steps(0.01, 0.05),
                decimals=2,
                name="{{destination}}",
            ),
            number(
                "Unaccounted",
                "Received messages that are neither settled nor in flight. Anything but 0 is a bug: report it.",
                " + ".join(f"sum by (destination) (abs({gap}))" for gap in (scope.processor_gap(), scope.sink_gap())),
                colours=ZERO_IS_GOOD,
                name="{{destination}}",
            ),
        ),
    )


def _throughput(scope: Scope) -> Row:
    lag = f"sum by (destination, role) ({scope.with_role(scope.worker('consumer_lag_messages'))})"
    return Row(
        title="Throughput",
        panels=(
            Panel(
                title="Events by outcome",
                description="Events of the raw topic that were forwarded, dropped by a filter, or rejected.",
                unit=EVENTS,
                look=Look.STACKED,
                width=12,
                series=tuple(
                    Series(
                        query=scope.rate(f"events_{outcome}_total", "destination"),
                        name=f"{{{{destination}}}}: {outcome}",
                    )
                    for outcome in ("forwarded", "dropped", "rejected")
                ),
            ),
            Panel(
                title="Event age at delivery",
                description="Time from OneSignal's event until the destination accepted its record, as quantiles. The "
                "objective is one minute.",
                unit="s",
                width=12,
                steps=((None, "green"), (60, "red")),
                series=scope.quantiles("sink_event_age_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Consumer lag",
                description="Uncommitted messages in the raw topic (processor) and in the records topic (sink). If the "
                "lag keeps growing, add workers up to the number of partitions, or find out what slows the destination "
                "down.",
                unit="short",
                width=12,
                series=one(lag, "{{destination}}: {{role}}"),
            ),
            Panel(
                title="Delivered records",
                description="Records that the destination accepted. Records that are sent again after a redelivery "
                "count again.",
                unit=RECORDS,
                width=12,
                series=one(scope.rate("sink_records_accepted_total", "destination"), "{{destination}}"),
            ),
        ),
    )


def _savings(scope: Scope) -> Row:
    dropped, received = (
        f"sum by (destination) (increase({scope.series(name)}[$__range]))"
        for name in ("events_dropped_total", "events_received_total")
    )
    return Row(
        title="Savings",
        panels=(
            number(
                "Dropped share",
                "Share of events that the filters dropped in the selected time range. The destination does not bill "
                "for them.",
                f"{dropped} / {received}",
                unit="percentunit",
                colours=steps_down(0.01, 0.05),
                decimals=1,
                width=6,
                name="{{destination}}",
            ),
            number(
                "Dropped",
                "Events that the filters dropped in the selected time range.",
                dropped,
                decimals=1,
                width=6,
                name="{{destination}}",
            ),
            number(
                "Rules in force for",
                "Time since the rules were loaded.",
                f"min by (destination) (time() - {scope.series('rules_loaded_timestamp_seconds')})",
                unit="s",
                decimals=1,
                width=6,
                name="{{destination}}",
            ),
            number(
                "Rules reload failing",
                "1 while the changed rules file is invalid or cannot be read; the previous rules stay in force.",
                f"max by (destination) ({scope.series('rules_reload_failing')})",
                colours=ZERO_IS_GOOD,
                width=6,
                name="{{destination}}",
            ),
            Panel(
                title="Dropped, by category",
                description="Delivery events (sent, received, displayed) concern every user, engagement events few.",
                unit=EVENTS,
                look=Look.STACKED,
                width=12,
                series=one(
                    scope.rate("events_dropped_total", "destination", "category"), "{{destination}}: {{category}}"
                ),
            ),
            Panel(
                title="Forwarded, by category",
                description="What the destination receives. Delivery events here are those that the rules keep.",
                unit=EVENTS,
                look=Look.STACKED,
                width=12,
                series=one(
                    scope.rate("events_forwarded_total", "destination", "category"), "{{destination}}: {{category}}"
                ),
            ),
        ),
    )
