"""Delivery to Segment: requests, flushes, and how old events are when they arrive."""

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
from tests.deploy.dashboards.queries import where

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope

_AGES = {"1.0": "1 s", "10.0": "10 s", "60.0": "1 min", "600.0": "10 min", "3600.0": "1 h"}


def delivery(scope: Scope) -> Board:
    """Build the board of the sink."""
    return Board(
        name="delivery",
        title="OneSignal pipeline: Delivery to Segment",
        description="What Segment answers, how full requests are, how old events are at their arrival.",
        rows=(_now(scope), _requests(scope), _flushes(scope), _arrival(scope), _accounts(scope)),
    )


def _now(scope: Scope) -> Row:
    attempts = scope.series("sink_attempts_total")
    good = scope.series("sink_attempts_total", where("answer", "2xx"))
    refuses = scope.series("holding", where("reason", "destination_refuses"))
    return Row(
        title="Now",
        panels=(
            number(
                "Accepted",
                "Records that Segment accepts in a second.",
                f"sum(rate({scope.series('sink_records_accepted_total')}[{scope.window}]))",
                unit="cps",
                decimals=0,
            ),
            number(
                "Requests accepted",
                "Share of attempts that were answered with 2xx. The others are repeated, or taken apart; none is lost.",
                f"sum(rate({good}[{scope.window}])) / sum(rate({attempts}[{scope.window}]))",
                unit="percentunit",
                colours=steps_down(0.9, 0.99),
                decimals=1,
            ),
            number(
                "Request time, 95 %",
                "Duration of a request; 95 % take less. Segment is far away, so 0.1 to 0.5 s are usual.",
                scope.quantile("sink_request_duration_seconds", 0.95),
                unit="s",
                colours=steps(2, 10),
                decimals=2,
            ),
            number(
                "Fullness",
                "Bytes of a request against its limit, on average. Under load near 100 %; little when little flows.",
                scope.mean("sink_request_batch_fullness_ratio"),
                unit="percentunit",
                decimals=0,
            ),
            number(
                "Lanes busy",
                "Requests under way, of those that may be. All of them all the time: Segment's answers set the pace.",
                f"sum({scope.series('sink_lanes_in_flight')}) / sum({scope.series('sink_lanes')})",
                unit="percentunit",
                decimals=0,
            ),
            number(
                "Segment refuses",
                "1 while a sink holds because of Segment's answers: a wrong key or address, an unknown answer.",
                f"max({refuses})",
                colours=ZERO_IS_GOOD,
            ),
        ),
    )


def _requests(scope: Scope) -> Row:
    doubtful = f"sum by (content) (rate({scope.series('sink_doubtful_answers_total')}[{scope.window}]))"
    by_answer = f"sum by (answer) (rate({scope.series('sink_attempts_total')}[{scope.window}])) > 0"
    return Row(
        title="Requests",
        panels=(
            Panel(
                title="Attempts by answer",
                description="429: Segment asks to slow down. 5xx, timeout, network: repeated with growing pauses. 4xx: "
                "a record of the batch is refused, or the key is wrong.",
                unit="reqps",
                look=Look.STACKED,
                series=one(by_answer, "{{answer}}"),
            ),
            Panel(
                title="Doubtful answers",
                description="Requests with a 2xx, which counts as accepted, and a web page or a denial of success in "
                "it: not Segment's, so their records may be lost.",
                unit="reqps",
                series=one(doubtful, "{{content}}"),
            ),
            Panel(
                title="Duration of a request",
                description="One attempt, as quantiles. At the timeout (15 s by default) it is given up and repeated.",
                unit="s",
                series=scope.quantiles("sink_request_duration_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Time and attempts until accepted",
                description="From the first attempt of a flush to its 200 (95 % take less), and attempts on average.",
                unit="short",
                series=(
                    Series(query=scope.quantile("sink_request_batch_duration_seconds", 0.95), name="seconds, 95 %"),
                    Series(query=scope.mean("sink_request_batch_attempts"), name="attempts, mean"),
                ),
            ),
        ),
    )


def _flushes(scope: Scope) -> Row:
    return Row(
        title="Flushes",
        panels=(
            Panel(
                title="Fullness of requests",
                description="Bytes against the limit. Full requests cost the least; the flush interval sends others "
                "when little flows.",
                unit="percentunit",
                most=1.0,
                series=(
                    Series(query=scope.mean("sink_request_batch_fullness_ratio"), name="mean"),
                    Series(query=scope.quantile("sink_request_batch_fullness_ratio", 0.1), name="10 % are less full"),
                ),
            ),
            Panel(
                title="Records in a request",
                description="Segment's limit is 2,500; bytes are usually the tighter one.",
                unit="short",
                series=(
                    Series(query=scope.mean("sink_request_batch_records"), name="mean"),
                    Series(query=scope.quantile("sink_request_batch_records", 0.95), name="95 % have less"),
                ),
            ),
            Panel(
                title="Bytes of a request",
                description="Before compression. The limit is 475,000 by default, Segment's own 500,000. Lower: a sink "
                "got a 413 from something on the way, and sends smaller requests until it is restarted.",
                unit="decbytes",
                series=(
                    Series(query=scope.mean("sink_request_batch_bytes"), name="mean"),
                    Series(
                        query=f"min({scope.series('sink_request_batch_limit_bytes')})", name="lowest limit of a sink"
                    ),
                ),
            ),
        ),
    )


def _arrival(scope: Scope) -> Row:
    return Row(
        title="How old events are when Segment has them",
        panels=(
            Panel(
                title="Age of events",
                description="From OneSignal's event to Segment's 200. It holds what OneSignal, the way to Kafka, both "
                "workers and Segment take together.",
                unit="s",
                width=12,
                steps=((None, "green"), (60, "red")),
                series=scope.quantiles("sink_event_age_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Arrived within",
                description="Share of records that were accepted within a time. The objective: 99 % within 1 min.",
                unit="percentunit",
                width=12,
                most=1.0,
                series=tuple(
                    Series(query=scope.share_within("sink_event_age_seconds", bound), name=words)
                    for bound, words in _AGES.items()
                ),
            ),
        ),
    )


def _accounts(scope: Scope) -> Row:
    return Row(
        title="In hand, refused, accounts",
        panels=(
            Panel(
                title="Lanes",
                description="Requests under way, and how many may be, over all sinks.",
                unit="short",
                width=6,
                series=(
                    Series(query=f"sum({scope.series('sink_lanes_in_flight')})", name="under way"),
                    Series(query=f"sum({scope.series('sink_lanes')})", name="lanes"),
                ),
            ),
            Panel(
                title="Bytes in hand",
                description="Of records received and not settled, by sink. The messages in hand bound it.",
                unit="bytes",
                width=6,
                series=one(f"{scope.series('sink_in_hand_bytes')}", "{{instance}}"),
            ),
            Panel(
                title="Refused records",
                under_faults=True,
                description="Stored as dead letters, by reason. `refused`: Segment answered 400 to this record alone.",
                unit="cps",
                width=6,
                look=Look.STACKED,
                series=one(
                    f"sum by (reason) (rate({scope.series('sink_records_rejected_total')}[{scope.window}])) > 0",
                    "{{reason}}",
                ),
            ),
            Panel(
                title="It adds up",
                description="Records received, less accepted, rejected, given back and in flight: always 0, each sink.",
                unit="short",
                width=6,
                steps=ZERO_IS_GOOD,
                series=one(scope.sink_gap(), "{{instance}}"),
            ),
            Panel(
                title="Write key file refused",
                description="1 while the file of the write key cannot be used; the key from before stays.",
                unit="short",
                width=6,
                steps=ZERO_IS_GOOD,
                series=one(f"max({scope.series('sink_credentials_reload_failing')})", "refused"),
            ),
        ),
    )
