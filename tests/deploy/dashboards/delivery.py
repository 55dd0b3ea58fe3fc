"""Delivery: requests, request batches, and event age at delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.dashboards.panels import (
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
from tests.deploy.dashboards.queries import where

if TYPE_CHECKING:
    from tests.deploy.dashboards.queries import Scope

_AGES = {"1.0": "1 s", "10.0": "10 s", "60.0": "1 min", "600.0": "10 min", "3600.0": "1 h"}
_DESTINATION = "{{destination}}"


def delivery(scope: Scope) -> Board:
    """Build the board of the sinks."""
    return Board(
        name="delivery",
        title="OneSignal pipeline: Delivery",
        description="Answers of the destination, fullness of request batches, and event age at delivery.",
        rows=(_now(scope), _requests(scope), _request_batches(scope), _event_age(scope), _accounting(scope)),
    )


def _sum(scope: Scope, name: str) -> str:
    return f"sum by (destination) ({scope.series(name)})"


def _now(scope: Scope) -> Row:
    succeeded = scope.series("sink_attempts_total", where("answer", "2xx"))
    good = f"sum by (destination) (rate({succeeded}[{scope.window}]))"
    refuses = scope.with_role(scope.worker("holding", where("reason", "destination_refuses")))
    return Row(
        title="Now",
        panels=(
            number(
                "Records per second",
                "Records that the destination accepts per second.",
                scope.rate("sink_records_accepted_total", "destination"),
                decimals=0,
                name=_DESTINATION,
            ),
            number(
                "Request success rate",
                "Share of attempts that were answered with 2xx. The others are retried, or split until the refused "
                "record is found. Nothing is lost.",
                f"{good} / {scope.rate('sink_attempts_total', 'destination')}",
                unit="percentunit",
                colours=steps_down(0.9, 0.99),
                decimals=1,
                name=_DESTINATION,
            ),
            number(
                "Request duration, p95",
                "95 % of requests take less. 0.1 to 0.5 s are usual over the internet.",
                scope.quantile("sink_request_duration_seconds", 0.95),
                unit="s",
                colours=steps(2, 10),
                decimals=2,
                name=_DESTINATION,
            ),
            number(
                "Fullness, mean",
                "Mean share of the limit that binds, bytes or records. Near 100 % under load, low under little load.",
                scope.mean("sink_request_batch_fullness_ratio"),
                unit="percentunit",
                decimals=0,
                name=_DESTINATION,
            ),
            number(
                "Lanes in flight",
                "Requests in flight as a share of the lanes. Constantly 100 %: the response time of the destination "
                "limits the throughput.",
                f"{_sum(scope, 'sink_lanes_in_flight')} / {_sum(scope, 'sink_lanes')}",
                unit="percentunit",
                decimals=0,
                name=_DESTINATION,
            ),
            number(
                "Destination refuses",
                "1 while a sink holds because of the destination's answers: wrong credentials, wrong address, or an "
                "unknown answer.",
                f"max by (destination) ({refuses})",
                colours=ZERO_IS_GOOD,
                name=_DESTINATION,
            ),
        ),
    )


def _requests(scope: Scope) -> Row:
    return Row(
        title="Requests",
        panels=(
            Panel(
                title="Attempts by answer",
                description="429: the destination asks to slow down. 5xx, timeout, network: retried with backoff. 4xx: "
                "a record of the request batch is refused, or the credentials are wrong.",
                unit="reqps",
                look=Look.STACKED,
                series=one(
                    f"{scope.rate('sink_attempts_total', 'destination', 'answer')} > 0", "{{destination}}: {{answer}}"
                ),
            ),
            Panel(
                title="Doubtful answers",
                description="Requests that count as accepted because of a 2xx, although the answer is a web page or "
                "denies success. It may not come from the destination, and the records may be lost.",
                unit="reqps",
                series=one(
                    scope.rate("sink_doubtful_answers_total", "destination", "content"),
                    "{{destination}}: {{content}}",
                ),
            ),
            Panel(
                title="Unclear answers",
                description="Answers that leave open which records were accepted: cut off, not understood, or with "
                "numbers that contradict the request. The same request is sent again, because the destination drops "
                "duplicates.",
                unit="reqps",
                series=one(
                    scope.rate("sink_unclear_answers_total", "destination", "problem"),
                    "{{destination}}: {{problem}}",
                ),
            ),
            Panel(
                title="Request duration",
                description="Duration of one attempt, as quantiles. After the timeout (by default 15 s for Segment, "
                "30 s for Mixpanel) an attempt is cancelled and retried.",
                unit="s",
                series=scope.quantiles("sink_request_duration_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Time until accepted",
                description="From the first attempt of a request batch until it was accepted, as quantiles.",
                unit="s",
                series=scope.quantiles("sink_request_batch_duration_seconds", 0.5, 0.95),
            ),
            Panel(
                title="Attempts until accepted",
                description="Mean number of attempts of a request batch. 1 means that nothing was retried.",
                unit="short",
                series=one(scope.mean("sink_request_batch_attempts"), "{{destination}} mean"),
            ),
        ),
    )


def _request_batches(scope: Scope) -> Row:
    return Row(
        title="Request batches",
        panels=(
            Panel(
                title="Fullness of request batches",
                description="Share of the limit that binds, bytes or records. Full request batches are the most "
                "efficient; under little load the flush interval sends them before they are full.",
                unit="percentunit",
                most=1.0,
                series=(
                    Series(query=scope.mean("sink_request_batch_fullness_ratio"), name="{{destination}} mean"),
                    *scope.quantiles("sink_request_batch_fullness_ratio", 0.1),
                ),
            ),
            Panel(
                title="Records per request batch",
                description="Segment's limit is 2,500 records, and bytes usually reach theirs first. Mixpanel's is "
                "2,000 records, which is usually reached before its limit of bytes.",
                unit="short",
                series=(
                    Series(query=scope.mean("sink_request_batch_records"), name="{{destination}} mean"),
                    *scope.quantiles("sink_request_batch_records", 0.95),
                ),
            ),
            Panel(
                title="Bytes per request batch",
                description="Before compression. The default limit is 475,000 for Segment, whose own is 500,000, and "
                "2,000,000 for Mixpanel. A lower limit: a sink got a 413 from something on the way, and sends smaller "
                "request batches until it is restarted.",
                unit="decbytes",
                series=(
                    Series(query=scope.mean("sink_request_batch_bytes"), name="{{destination}} mean"),
                    Series(
                        query=f"min by (destination) ({scope.series('sink_request_batch_limit_bytes')})",
                        name="{{destination}} lowest limit",
                    ),
                ),
            ),
        ),
    )


def _event_age(scope: Scope) -> Row:
    return Row(
        title="Event age at delivery",
        panels=(
            Panel(
                title="Event age",
                description="Time from OneSignal's event until the destination accepted its record: OneSignal, the way "
                "to Kafka, both workers and the destination together.",
                unit="s",
                width=12,
                steps=((None, "green"), (60, "red")),
                series=scope.quantiles("sink_event_age_seconds", 0.5, 0.95, 0.99),
            ),
            Panel(
                title="Delivered within",
                description="Share of records that were accepted within a time. The objective is 99 % within 1 min.",
                unit="percentunit",
                width=12,
                most=1.0,
                series=tuple(
                    Series(
                        query=scope.share_within("sink_event_age_seconds", bound, "destination"),
                        name=f"{_DESTINATION} {words}",
                    )
                    for bound, words in _AGES.items()
                ),
            ),
        ),
    )


def _accounting(scope: Scope) -> Row:
    rejected = scope.rate("sink_records_rejected_total", "destination", "reason")
    return Row(
        title="Lanes, rejects and accounting",
        panels=(
            Panel(
                title="Lanes",
                description="Requests in flight, and the most that may be, over all sinks.",
                unit="short",
                width=8,
                series=(
                    Series(query=_sum(scope, "sink_lanes_in_flight"), name="{{destination}} in flight"),
                    Series(query=_sum(scope, "sink_lanes"), name="{{destination}} lanes"),
                ),
            ),
            Panel(
                title="Bytes in hand",
                description="Bytes of the records that were received and are not yet settled, by sink.",
                unit="bytes",
                width=8,
                series=one(scope.series("sink_in_hand_bytes"), "{{destination}} {{instance}}"),
            ),
            Panel(
                title="Rejected records",
                under_faults=True,
                description="Records stored as dead letters, by reason. `refused`: the destination refused this record "
                "alone.",
                unit=RECORDS,
                width=8,
                look=Look.STACKED,
                series=one(f"{rejected} > 0", "{{destination}}: {{reason}}"),
            ),
            Panel(
                title="Unaccounted records",
                description="Records received minus accepted, rejected, given back and in flight: always 0 for each "
                "sink.",
                unit="short",
                width=12,
                steps=ZERO_IS_GOOD,
                series=one(scope.sink_gap(), "{{destination}} {{instance}}"),
            ),
            Panel(
                title="Credentials reload failing",
                description="1 while the file with the credentials is unusable or cannot be read; the previous "
                "credentials stay in use.",
                unit="short",
                width=12,
                steps=ZERO_IS_GOOD,
                series=one(f"max by (destination) ({scope.series('sink_credentials_reload_failing')})", _DESTINATION),
            ),
        ),
    )
