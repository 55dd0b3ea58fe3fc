"""PromQL that more than one panel or alert uses, with a selector filled in."""

from __future__ import annotations

from typing import Final

from tests.deploy.dashboards.panels import Series

PREFIX: Final = "onesignal_pipeline_"
RELEASE: Final = ("namespace", "release")
"""Labels that identify an installation; the scrape configuration adds them to every series."""
DESTINATION: Final = (*RELEASE, "destination")
"""Labels that identify one destination of an installation."""
WORKER: Final = (*RELEASE, "job", "instance")
"""Labels that identify a worker."""
LATE_SECONDS: Final = "60.0"
"""The objective: 99 % of records are accepted within a minute of their event. A bound of the histogram."""
PROCESSOR: Final = "processor"
SINKS: Final = 'role=~".+-sink"'


class Scope:
    """Builds queries about what a selector chooses, such as one release: label matchers joined by commas.

    ``destination`` is the matcher of the label that only sinks, processors and `build_info` have.
    """

    def __init__(self, matchers: str = "", *, destination: str = "", window: str = "5m") -> None:
        """Store the label matchers, and the range that rates are computed over."""
        self._matchers = matchers
        self._destination = destination
        self.window = window

    def series(self, name: str, *more: str) -> str:
        """Return the selector of a metric that has the label `destination`: of a sink, a processor, or `build_info`."""
        return self.worker(name, *filter(None, (self._destination, *more)))

    def worker(self, name: str, *more: str) -> str:
        """Return the selector of a metric that every worker has; only a join tells its role and destination."""
        return self.foreign(f"{PREFIX}{name}", *more)

    def foreign(self, name: str, *more: str) -> str:
        """Return the selector of a metric of the Python client library."""
        matchers = ",".join(filter(None, (self._matchers, *more)))
        return f"{name}{{{matchers}}}" if matchers else name

    # ---- Histograms, by destination.

    def quantile(self, name: str, share: float) -> str:
        """Return a quantile of the observations."""
        return f"histogram_quantile({share}, {self.rate(f'{name}_bucket', 'le', 'destination')})"

    def quantiles(self, name: str, *shares: float) -> tuple[Series, ...]:
        """Return a series for each quantile."""
        return tuple(
            Series(query=self.quantile(name, share), name=f"{{{{destination}}}} p{100 * share:.0f}") for share in shares
        )

    def mean(self, name: str) -> str:
        """Return the mean of the observations."""
        return f"{self.rate(f'{name}_sum', 'destination')} / {self.rate(f'{name}_count', 'destination')}"

    def share_within(self, name: str, bound: str, *by: str, window: str | None = None) -> str:
        """Return the share of observations that are not above a bound of the histogram."""
        within = f"rate({self.series(f'{name}_bucket', where('le', bound))}[{window or self.window}])"
        return f"{total(within, *by)} / {self.rate(f'{name}_count', *by, window=window)}"

    # ---- Service levels.

    def late_share(self, *by: str, window: str | None = None) -> str:
        """Return the share of records that were accepted later than the objective."""
        return f"1 - {self.share_within('sink_event_age_seconds', LATE_SECONDS, *by, window=window)}"

    def late_records(self, *by: str, window: str) -> str:
        """Return the number of records that were accepted later than the objective."""
        name = "sink_event_age_seconds"
        counted = (self.series(f"{name}_count"), self.series(f"{name}_bucket", where("le", LATE_SECONDS)))
        return " - ".join(total(f"increase({series}[{window}])", *by) for series in counted)

    def dead_letter_share(self, *by: str, window: str | None = None) -> str:
        """Return the share of messages that became dead letters in both stages.

        It is a share of what the busier stage received, because a sink can also drain an old backlog or run alone.
        """
        raw, records = (
            self.rate(name, *by, window=window) for name in ("events_received_total", "sink_records_received_total")
        )
        return f"{self._dead_letters('rate', *by, window=window)} / ({greater(raw, records)})"

    def dead_letters(self, *by: str, window: str) -> str:
        """Return the number of messages that became dead letters in both stages."""
        return self._dead_letters("increase", *by, window=window)

    def _dead_letters(self, function: str, *by: str, window: str | None) -> str:
        processor, sink = (
            total(f"{function}({self.series(name)}[{window or self.window}])", *by)
            for name in ("events_rejected_total", "sink_records_rejected_total")
        )
        return f"(({processor} or 0 * {sink}) + ({sink} or 0 * {processor}))"

    def rate(self, name: str, *by: str, window: str | None = None) -> str:
        """Return the rate per second of a counter of a sink or a processor."""
        return total(f"rate({self.series(name)}[{window or self.window}])", *by)

    def increase(self, name: str, hours: int) -> str:
        """Return the increase of a counter over hours, as far as Prometheus saw it."""
        return total(f"increase({self.series(name)}[{hours}h])", *DESTINATION)

    def increase_and_before(self, name: str, hours: int) -> str:
        """Return an upper bound of what was counted over hours.

        Prometheus sees no increase in what a worker counts before its first scrape, which is much after an outage. So
        for a younger process the whole counter counts; where it restarted in an older Pod, the increase is larger.
        """
        series = self.series(name)
        whole = f"({series} and {self.younger(hours * 3600)})"
        return total(greater(f"increase({series}[{hours}h])", whole), *DESTINATION)

    def younger(self, seconds: int) -> str:
        """Return a match, after `and` or `unless`, for workers whose process is younger."""
        return f"on ({', '.join(WORKER)}) (time() - {self.foreign('process_start_time_seconds')} < {seconds})"

    def with_role(self, expression: str, *matchers: str) -> str:
        """Return an expression about workers with the labels `role` and `destination`; matchers select on these."""
        info = self.series("build_info", *matchers)
        return f"({expression}) * on ({', '.join(WORKER)}) group_left (role, destination) {info}"

    # ---- Accounting: guarantee 3.

    def processor_gap(self, labels: tuple[str, ...] = (*WORKER, "destination")) -> str:
        """Return received - forwarded - dropped - rejected - given back - in flight, which is always 0."""
        settled = ("events_forwarded_total", "events_dropped_total", "events_rejected_total", "events_given_back_total")
        return self._gap("events_received_total", (*settled, "events_in_flight"), labels)

    def sink_gap(self, labels: tuple[str, ...] = (*WORKER, "destination")) -> str:
        """Return received - accepted - rejected - given back - in flight, which is always 0."""
        settled = ("records_accepted_total", "records_rejected_total", "records_given_back_total", "records_in_flight")
        return self._gap("sink_records_received_total", tuple(f"sink_{name}" for name in settled), labels)

    def _gap(self, received: str, settled: tuple[str, ...], labels: tuple[str, ...]) -> str:
        return "\n- ".join(total(self.series(name), *labels) for name in (received, *settled))

    def waiting_records(self, offset: str = "") -> str:
        """Return the number of records that wait for the sinks in Kafka."""
        at = f" offset {offset}" if offset else ""
        lag = f"{self.worker('consumer_lag_messages')}{at}"
        return total(f"{lag} * on ({', '.join(WORKER)}) group_left (destination) {self.sinks()}{at}", *DESTINATION)

    def sinks(self) -> str:
        """Return `build_info` of the sinks."""
        return self.series("build_info", SINKS)

    def arrival_gap(self, hours: int = 1) -> str:
        """Return forwarded - settled by the sink - the growth of what waits for the sink, in a window.

        Records that stay missing have not arrived. A negative number was sent again after a redelivery. Of what
        Prometheus did not see, arrivals count and forwarded events do not, so that a doubt causes no alert.
        """
        forwarded = self.increase("events_forwarded_total", hours)
        arrived = (
            self.increase_and_before("sink_records_accepted_total", hours),
            self.increase_and_before("sink_records_rejected_total", hours),
        )
        now = self.waiting_records()
        before = f"({self.waiting_records(f'{hours}h')} or 0 * {now})"
        return "\n- ".join((forwarded, *arrived, f"({now} - {before})"))


def where(label: str, value: str) -> str:
    """Return a label matcher."""
    return f'{label}="{value}"'


def greater(one: str, other: str) -> str:
    """Return the greater of two values, or the only one. Put it in parentheses."""
    return f"{one} > {other} or {other} or {one}"


def total(expression: str, *by: str) -> str:
    """Return the sum of an expression, by labels."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"
