"""Filters and cost: what the rules forward and drop, and the users that this adds or saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import (
    EVENTS,
    ZERO_IS_GOOD,
    Board,
    Look,
    Panel,
    Row,
    Series,
    number,
    one,
    steps_down,
)

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope

_DESTINATION = "{{destination}}"


def filters(scope: Scope) -> Board:
    """Build the board for those who pay for tracked users."""
    return Board(
        name="filters",
        title="OneSignal pipeline: Filters and cost",
        description="What the rules forward and drop, rule by rule, and which rules are in force.",
        rows=(_savings(scope), _users(scope), _events(scope), _incomplete_events(scope), _rules(scope)),
    )


def _savings(scope: Scope) -> Row:
    received, dropped, forwarded = (
        f"sum by (destination) (increase({scope.series(f'events_{name}_total')}[$__range]))"
        for name in ("received", "dropped", "forwarded")
    )
    versions = f"count by (destination, rules) ({scope.series('rules_info')})"
    return Row(
        title="Selected time range",
        panels=(
            number("Received", "Events read from the raw topic.", received, decimals=1, name=_DESTINATION),
            number("Forwarded", "Events forwarded to the sink.", forwarded, decimals=1, name=_DESTINATION),
            number("Dropped", "Events that the filters dropped.", dropped, decimals=1, name=_DESTINATION),
            number(
                "Dropped share",
                "Share of the received events that the filters dropped. The destination does not bill for them.",
                f"{dropped} / {received}",
                unit="percentunit",
                colours=steps_down(0.01, 0.05),
                decimals=1,
                name=_DESTINATION,
            ),
            number(
                "Rules in force for",
                "Time since the rules were loaded.",
                f"min by (destination) (time() - {scope.series('rules_loaded_timestamp_seconds')})",
                unit="s",
                decimals=1,
                name=_DESTINATION,
            ),
            number(
                "Rules versions",
                "Number of different rules in force. If it stays above 1, a processor has not loaded the change.",
                f"count by (destination) ({versions})",
                colours=((None, "green"), (2, "yellow")),
                name=_DESTINATION,
            ),
        ),
    )


def _users(scope: Scope) -> Row:
    tracked, avoided, catalogue = (
        f"sum by (destination) ({scope.series(name)})"
        for name in ("tracked_users", "users_delivery_would_add_so_far", "message_catalogue_messages")
    )
    shadow = f"sum by (destination, rule) ({scope.series('rule_shadow_users')})"
    return Row(
        title="Users in this billing month",
        panels=(
            number(
                "Tracked users",
                "Users for whom the destination received an event this billing month and whom it bills. Available "
                "where the processor tracks users.",
                tracked,
                decimals=1,
                width=6,
                name=_DESTINATION,
            ),
            number(
                "Users saved",
                "Estimate of the users that the dropped delivery events would have added this billing month.",
                avoided,
                decimals=1,
                width=6,
                name=_DESTINATION,
            ),
            Panel(
                title="Users by shadow rule",
                description="Estimate of the users whose events a shadow rule would have decided this billing month.",
                unit="short",
                width=6,
                height=4,
                series=one(shadow, "{{destination}}: {{rule}}"),
            ),
            number(
                "Messages in the catalogue",
                "Messages whose contents the catalogue holds, to complete late engagement events.",
                catalogue,
                decimals=1,
                width=6,
                name=_DESTINATION,
            ),
            Panel(
                title="Tracked users and users saved",
                description="Both since the start of the billing month.",
                unit="short",
                width=24,
                height=7,
                series=(
                    Series(query=tracked, name="{{destination}} tracked"),
                    Series(query=avoided, name="{{destination}} saved"),
                ),
            ),
        ),
    )


def _by(scope: Scope, metric: str, label: str, title: str, description: str) -> Panel:
    return Panel(
        title=title,
        description=description,
        unit=EVENTS,
        look=Look.STACKED,
        series=one(f"{scope.rate(metric, 'destination', label)} > 0", f"{{{{destination}}}}: {{{{{label}}}}}"),
    )


def _events(scope: Scope) -> Row:
    forwarded, dropped = "events_forwarded_total", "events_dropped_total"
    return Row(
        title="Events",
        panels=(
            _by(scope, forwarded, "channel", "Forwarded, by channel", "Push, in-app, email, SMS, live activity."),
            _by(scope, forwarded, "action", "Forwarded, by action", "What happened to the message."),
            _by(
                scope,
                forwarded,
                "category",
                "Forwarded, by category",
                "Delivery events add tracked users; engagement events are what users did.",
            ),
            _by(scope, dropped, "channel", "Dropped, by channel", "Events that the filters dropped."),
            _by(scope, dropped, "action", "Dropped, by action", "Mostly sent, received and displayed."),
            _by(
                scope,
                dropped,
                "reason",
                "Dropped, by reason",
                "`rule`: a rule or the default. `sampled_out`: not in the sample. `not_tracked`: the user was not "
                "tracked this month. `anonymous`: no external id.",
            ),
        ),
    )


def _incomplete_events(scope: Scope) -> Row:
    return Row(
        title="Incomplete events",
        panels=(
            Panel(
                title="Ignored ids, by field",
                description="Ids that identify nobody, such as `null` or a template placeholder that was not filled "
                "in. If there are many, correct the template or the export. Values that only one app uses can be "
                "listed in `PIPELINE_NOBODY_IDS`.",
                unit="count:ids/s",
                look=Look.STACKED,
                width=12,
                series=one(scope.rate("ids_ignored_total", "destination", "field"), "{{destination}}: {{field}}"),
            ),
            Panel(
                title="Forwarded without a time",
                description="Events without a readable time; their record has the time of the Kafka message. Where a "
                "topic is filled from an export, that is much later than the event: add the time to the export.",
                unit=EVENTS,
                width=12,
                series=one(scope.rate("events_without_time_total", "destination"), _DESTINATION),
            ),
        ),
    )


def _rules(scope: Scope) -> Row:
    return Row(
        title="Rules",
        panels=(
            Panel(
                title="Decisions by rule",
                description="Events that each rule kept or dropped; `default` decides where no rule matches. `shadow`: "
                "what a shadow rule would have decided.",
                unit=EVENTS,
                look=Look.STACKED,
                width=12,
                series=one(
                    scope.rate("rule_events_total", "destination", "rule", "outcome"),
                    "{{destination}}: {{rule}}: {{outcome}}",
                ),
            ),
            Panel(
                title="Rules reload failing",
                description="1 while the changed rules file is invalid or cannot be read; the log gives the reason.",
                unit="short",
                width=6,
                steps=ZERO_IS_GOOD,
                series=one(f"max by (destination) ({scope.series('rules_reload_failing')})", _DESTINATION),
            ),
            Panel(
                title="Completed from the catalogue",
                description="Late engagement events completed with the name, title and contents of earlier events.",
                unit=EVENTS,
                width=6,
                series=one(scope.rate("messages_filled_total", "destination"), _DESTINATION),
            ),
        ),
    )
