"""Filters and cost: what the rules keep and leave out, and of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import ZERO_IS_GOOD, Board, Look, Panel, Row, Series, number, one, steps_down

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope


def filters(scope: Scope) -> Board:
    """Build the board of those who pay for tracked users."""
    return Board(
        name="filters",
        title="OneSignal pipeline: Filters and cost",
        description="What the rules keep and leave out, rule by rule, and which rules are in force.",
        rows=(_saved(scope), _users(scope), _events(scope), _templates(scope), _rules(scope)),
    )


def _saved(scope: Scope) -> Row:
    received = f"sum(increase({scope.series('events_received_total')}[$__range]))"
    dropped = f"sum(increase({scope.series('events_dropped_total')}[$__range]))"
    forwarded = f"sum(increase({scope.series('events_forwarded_total')}[$__range]))"
    return Row(
        title="Over the time shown",
        panels=(
            number("Received", "Events read from the raw topic.", received, decimals=1),
            number("Sent on", "Events forwarded to the sink.", forwarded, decimals=1),
            number("Left out", "Events that the filters left out.", dropped, decimals=1),
            number(
                "Share left out",
                "What Segment does not bill for, of all events received.",
                f"{dropped} / {received}",
                unit="percentunit",
                colours=steps_down(0.01, 0.05),
                decimals=1,
            ),
            number(
                "Rules in force for",
                "Since the rules were read, or taken up again after a change of their file.",
                f"min(time() - {scope.series('rules_loaded_timestamp_seconds')})",
                unit="s",
                decimals=1,
            ),
            number(
                "Versions of the rules",
                "Different rules in force at once. More than 1 for long: a processor has not taken the change up.",
                f"count(count by (rules) ({scope.series('rules_info')}))",
                colours=((None, "green"), (2, "yellow")),
            ),
        ),
    )


def _users(scope: Scope) -> Row:
    tracked, added = scope.series("tracked_users"), scope.series("users_delivery_would_add_so_far")
    return Row(
        title="Users of this billing month",
        panels=(
            number(
                "Tracked users",
                "Users of whom Segment was sent something this billing month: those whom it bills for. Known where the "
                "processor remembers tracked users.",
                f"sum({tracked})",
                decimals=1,
                width=6,
            ),
            number(
                "Users not billed for",
                "Estimate of the users whom the dropped delivery events would have added this month.",
                f"sum({added})",
                decimals=1,
                width=6,
            ),
            Panel(
                title="Users by shadow rule",
                description="Estimate of the users of whom a rule on trial would have decided events this month.",
                unit="short",
                width=6,
                height=4,
                series=one(f"sum by (rule) ({scope.series('rule_shadow_users')})", "{{rule}}"),
            ),
            number(
                "Messages in the catalogue",
                "Messages of which is known what they said, to tell it of late engagements.",
                f"sum({scope.series('message_catalogue_messages')})",
                decimals=1,
                width=6,
            ),
            Panel(
                title="Tracked, and not billed for",
                description="Both so far this billing month; they begin at 0 with each month.",
                unit="short",
                width=24,
                height=7,
                series=(
                    Series(query=f"sum({tracked})", name="tracked"),
                    Series(query=f"sum({added})", name="would be added"),
                ),
            ),
        ),
    )


def _by(scope: Scope, metric: str, label: str, title: str, description: str) -> Panel:
    return Panel(
        title=title,
        description=description,
        unit="cps",
        look=Look.STACKED,
        series=one(f"sum by ({label}) (rate({scope.series(metric)}[{scope.window}])) > 0", f"{{{{{label}}}}}"),
    )


def _events(scope: Scope) -> Row:
    forwarded, dropped = "events_forwarded_total", "events_dropped_total"
    return Row(
        title="Events",
        panels=(
            _by(scope, forwarded, "channel", "Sent on, by channel", "Push, in-app, email, SMS, live activity."),
            _by(scope, forwarded, "action", "Sent on, by action", "What happened to the message, in one word."),
            _by(
                scope,
                forwarded,
                "category",
                "Sent on, by category",
                "Delivery events that are sent on make tracked users; engagement is what users did.",
            ),
            _by(scope, dropped, "channel", "Left out, by channel", "Events that the filters left out."),
            _by(scope, dropped, "action", "Left out, by action", "Mostly sent, received and displayed."),
            _by(
                scope,
                dropped,
                "reason",
                "Left out, by reason",
                "`rule`: a rule or the default says so. `sampled_out`: not in the sample. `not_tracked`: the user was "
                "not tracked this month. `anonymous`: no external id.",
            ),
        ),
    )


def _templates(scope: Scope) -> Row:
    return Row(
        title="What events do not tell",
        panels=(
            Panel(
                title="Ids not used, by field",
                description="Ids that stand for nobody, such as `null` or a template that was not filled in. Many: "
                "correct the template or the export. Those of one app only can be named in `PIPELINE_NOBODY_IDS`.",
                unit="cps",
                look=Look.STACKED,
                width=12,
                series=one(f"sum by (field) (rate({scope.series('ids_ignored_total')}[{scope.window}]))", "{{field}}"),
            ),
            Panel(
                title="Sent on without a time",
                description="Events that told no time that can be read; Segment has the time of the Kafka message. "
                "Much later than the event where a topic is filled from an export: add the time to it.",
                unit="cps",
                width=12,
                series=(
                    Series(
                        query=f"sum(rate({scope.series('events_without_time_total')}[{scope.window}]))", name="events"
                    ),
                ),
            ),
        ),
    )


def _rules(scope: Scope) -> Row:
    events = scope.series("rule_events_total")
    return Row(
        title="Rules",
        panels=(
            Panel(
                title="Decisions by rule",
                description="Events that each rule kept or dropped; `default` decides where no rule matches. `shadow`: "
                "what a rule on trial would have decided.",
                unit="cps",
                look=Look.STACKED,
                width=12,
                series=one(f"sum by (rule, outcome) (rate({events}[{scope.window}]))", "{{rule}}: {{outcome}}"),
            ),
            Panel(
                title="Rules file",
                description="1 while the file has changed to something that cannot be used: the log says why.",
                unit="short",
                width=6,
                steps=ZERO_IS_GOOD,
                series=one(f"max({scope.series('rules_reload_failing')})", "refused"),
            ),
            Panel(
                title="Filled from the catalogue",
                description="Late engagements that were given the name, title and contents which earlier events had.",
                unit="cps",
                width=6,
                series=(
                    Series(query=f"sum(rate({scope.series('messages_filled_total')}[{scope.window}]))", name="events"),
                ),
            ),
        ),
    )
