"""Overview: is anything wrong, how much flows, what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import (
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
    """Build the board that is looked at first."""
    return Board(
        name="overview",
        title="OneSignal pipeline: Overview",
        description="Is anything wrong, how much flows, and what the filters save.",
        rows=(_wrong(scope), _flow(scope), _saved(scope)),
    )


def _wrong(scope: Scope) -> Row:
    ready = scope.series("ready")
    return Row(
        title="Is anything wrong?",
        panels=(
            number(
                "Workers not ready",
                "Workers whose /readyz does not say ready: they start, hold, or Kafka is away. /readyz says why.",
                f"count({ready}) - sum({ready})",
                colours=ZERO_IS_GOOD,
            ),
            number(
                "Causes to hold",
                "Reasons for which workers hold. Nothing is lost, nothing is sent, and somebody must act: see "
                "the alert's section in the runbook.",
                f"sum(max by (namespace, release, reason) ({scope.series('holding')}))",
                colours=ZERO_IS_GOOD,
            ),
            number(
                "Oldest event waiting",
                "How long the oldest message that is not settled has been in Kafka, over both topics.",
                f"max({scope.series('consumer_lag_seconds')})",
                unit="s",
                colours=steps(60, 300),
                decimals=1,
            ),
            number(
                "Late events",
                "Share of records that Segment accepted more than a minute after OneSignal's event. "
                "The objective is at most 1 %.",
                scope.late_share(),
                unit="percentunit",
                colours=steps(0.01, 0.1),
                decimals=2,
            ),
            number(
                "Dead letters",
                "Share of messages that cannot be used and are kept as dead letters.",
                scope.dead_letter_share(),
                unit="percentunit",
                colours=steps(0.01, 0.05),
                decimals=2,
            ),
            number(
                "Unaccounted",
                "Messages that were received and are neither settled nor in hand. Anything but 0 is a fault of the "
                "program: report it.",
                f"sum(abs({scope.processor_gap()})) + sum(abs({scope.sink_gap()}))",
                colours=ZERO_IS_GOOD,
            ),
        ),
    )


def _flow(scope: Scope) -> Row:
    return Row(
        title="How much flows?",
        panels=(
            Panel(
                title="Events by outcome",
                description="What became of the events of the raw topic: sent on, left out by a filter, or rejected.",
                unit="cps",
                look=Look.STACKED,
                width=12,
                series=tuple(
                    Series(query=f"sum(rate({scope.series(f'events_{outcome}_total')}[{scope.window}]))", name=outcome)
                    for outcome in ("forwarded", "dropped", "rejected")
                ),
            ),
            Panel(
                title="Age of events when Segment has them",
                description="From OneSignal's event to Segment's 200, as quantiles. The objective is a minute.",
                unit="s",
                width=12,
                steps=((None, "green"), (60, "red")),
                series=scope.quantiles("sink_event_age_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Waiting in Kafka",
                description="Messages not committed, of the raw topic (processor) and of the records topic (sink). "
                "Growing for long: add workers up to the number of partitions, or see what slows Segment down.",
                unit="short",
                width=12,
                series=one(f"sum by (role) ({scope.with_role(scope.series('consumer_lag_messages'))})", "{{role}}"),
            ),
            Panel(
                title="Delivered to Segment",
                description="Records that Segment accepted. What is sent again after a redelivery counts again.",
                unit="cps",
                width=12,
                series=one(f"sum(rate({scope.series('sink_records_accepted_total')}[{scope.window}]))", "records"),
            ),
        ),
    )


def _saved(scope: Scope) -> Row:
    dropped, received = scope.series("events_dropped_total"), scope.series("events_received_total")
    forwarded = scope.series("events_forwarded_total")
    return Row(
        title="What is saved?",
        panels=(
            number(
                "Left out",
                "Share of events that the filters left out, over the time shown: what Segment does not bill.",
                f"sum(increase({dropped}[$__range])) / sum(increase({received}[$__range]))",
                unit="percentunit",
                colours=steps_down(0.01, 0.05),
                decimals=1,
                width=6,
            ),
            number(
                "Events left out",
                "Events that the filters left out, over the time shown.",
                f"sum(increase({dropped}[$__range]))",
                decimals=1,
                width=6,
            ),
            number(
                "Rules",
                "For how long the present rules are in force.",
                f"min(time() - {scope.series('rules_loaded_timestamp_seconds')})",
                unit="s",
                decimals=1,
                width=6,
            ),
            number(
                "Rules file refused",
                "1 while the rules file has changed to something that cannot be used; the rules from before stay.",
                f"max({scope.series('rules_reload_failing')})",
                colours=ZERO_IS_GOOD,
                width=6,
            ),
            Panel(
                title="Left out, by category",
                description="Delivery events (sent, received, displayed) touch every user, engagement few.",
                unit="cps",
                look=Look.STACKED,
                width=12,
                series=one(f"sum by (category) (rate({dropped}[{scope.window}]))", "{{category}}"),
            ),
            Panel(
                title="Sent on, by category",
                description="What goes to Segment. Delivery events here are what the rules keep of them.",
                unit="cps",
                look=Look.STACKED,
                width=12,
                series=one(f"sum by (category) (rate({forwarded}[{scope.window}]))", "{{category}}"),
            ),
        ),
    )
