"""What is asked of Prometheus more than once, as PromQL with a place for the selector."""

from __future__ import annotations

from typing import Final

from tests.deploy.dashboards.panels import Series

PREFIX: Final = "onesignal_pipeline_"
RELEASE: Final = ("namespace", "release")
"""What tells one installation from another; the scrape configuration gives every series these labels."""
WORKER: Final = (*RELEASE, "job", "instance")
"""What tells one worker from another."""
LATE_SECONDS: Final = "60.0"
"""The objective: 99 % of records are accepted within a minute of their event. A bound of the histogram."""
PROCESSOR: Final = "processor"
SINK: Final = "segment-sink"


class Scope:
    """Writes queries about what a selector chooses, such as one release: label matchers joined by commas."""

    def __init__(self, matchers: str = "", *, window: str = "5m") -> None:
        """Take label matchers, and the window that rates are taken over."""
        self._matchers = matchers
        self.window = window

    def series(self, name: str, *more: str) -> str:
        """Name a metric of the pipeline with the scope's matchers and some more."""
        return self.foreign(f"{PREFIX}{name}", *more)

    def foreign(self, name: str, *more: str) -> str:
        """Name a metric of Python's own."""
        matchers = ",".join(filter(None, (self._matchers, *more)))
        return f"{name}{{{matchers}}}" if matchers else name

    # ---- Histograms.

    def quantile(self, name: str, share: float) -> str:
        """Say below what such a share of observations lies."""
        return f"histogram_quantile({share}, {self.rate(f'{name}_bucket', 'le')})"

    def quantiles(self, name: str, *shares: float) -> tuple[Series, ...]:
        """Give a panel a line for each share."""
        return tuple(Series(query=self.quantile(name, share), name=f"{share:.0%}") for share in shares)

    def mean(self, name: str) -> str:
        """Say what an observation is on average."""
        return f"{self.rate(f'{name}_sum')} / {self.rate(f'{name}_count')}"

    def share_within(self, name: str, bound: str, *by: str, window: str | None = None) -> str:
        """Say which share of observations is not above a bound of the histogram."""
        within = f"rate({self.series(f'{name}_bucket', where('le', bound))}[{window or self.window}])"
        return f"{total(within, *by)} / {self.rate(f'{name}_count', *by, window=window)}"

    # ---- How it goes.

    def late_share(self, *by: str, window: str | None = None) -> str:
        """Say which share of records Segment accepted later than the objective."""
        return f"1 - {self.share_within('sink_event_age_seconds', LATE_SECONDS, *by, window=window)}"

    def late_records(self, *by: str, window: str) -> str:
        """Say how many records Segment accepted in a window later than the objective."""
        name = "sink_event_age_seconds"
        counted = (self.series(f"{name}_count"), self.series(f"{name}_bucket", where("le", LATE_SECONDS)))
        return " - ".join(total(f"increase({series}[{window}])", *by) for series in counted)

    def dead_letter_share(self, *by: str, window: str | None = None) -> str:
        """Say which share of messages became dead letters, of both stages.

        It is a share of what the busier stage received: a sink also drains what came in long ago, or stands alone.
        """
        raw, records = (
            self.rate(name, *by, window=window) for name in ("events_received_total", "sink_records_received_total")
        )
        return f"{self._dead_letters('rate', *by, window=window)} / ({greater(raw, records)})"

    def dead_letters(self, *by: str, window: str) -> str:
        """Say how many messages became dead letters in a window, of both stages."""
        return self._dead_letters("increase", *by, window=window)

    def _dead_letters(self, function: str, *by: str, window: str | None) -> str:
        processor, sink = (
            total(f"{function}({self.series(name)}[{window or self.window}])", *by)
            for name in ("events_rejected_total", "sink_records_rejected_total")
        )
        return f"(({processor} or 0 * {sink}) + ({sink} or 0 * {processor}))"

    def rate(self, name: str, *by: str, window: str | None = None) -> str:
        """Say how much is counted in a second."""
        return total(f"rate({self.series(name)}[{window or self.window}])", *by)

    def increase(self, name: str, hours: int) -> str:
        """Say how much was counted in so many hours, as far as Prometheus saw it."""
        return total(f"increase({self.series(name)}[{hours}h])", *RELEASE)

    def increase_and_before(self, name: str, hours: int) -> str:
        """Say how much was counted in so many hours, at the most.

        What a worker counts before its first scrape is no increase to Prometheus, and after an outage it is much. So of
        a process that is younger the whole counter counts; the increase is more where it began anew in an older Pod.
        """
        series = self.series(name)
        whole = f"({series} and {self.younger(hours * 3600)})"
        return total(greater(f"increase({series}[{hours}h])", whole), *RELEASE)

    def younger(self, seconds: int) -> str:
        """Match, after `and` or `unless`, the workers whose process is younger."""
        return f"on ({', '.join(WORKER)}) (time() - {self.foreign('process_start_time_seconds')} < {seconds})"

    def with_role(self, expression: str, *matchers: str) -> str:
        """Tell of each worker which role it has, or keep those of one role."""
        told = self.series("build_info", *matchers)
        return f"({expression}) * on ({', '.join(WORKER)}) group_left (role) {told}"

    def of_role(self, expression: str, role: str) -> str:
        """Keep the workers of a role."""
        return self.with_role(expression, where("role", role))

    # ---- It adds up: guarantee 3.

    def processor_gap(self, labels: tuple[str, ...] = WORKER) -> str:
        """Received - forwarded - dropped - rejected - given back - in flight; never anything but 0."""
        settled = ("events_forwarded_total", "events_dropped_total", "events_rejected_total", "events_given_back_total")
        return self._gap("events_received_total", (*settled, "events_in_flight"), labels)

    def sink_gap(self, labels: tuple[str, ...] = WORKER) -> str:
        """Received - accepted - rejected - given back - in flight; never anything but 0."""
        settled = ("records_accepted_total", "records_rejected_total", "records_given_back_total", "records_in_flight")
        return self._gap("sink_records_received_total", tuple(f"sink_{name}" for name in settled), labels)

    def _gap(self, received: str, settled: tuple[str, ...], labels: tuple[str, ...]) -> str:
        return "\n- ".join(total(self.series(name), *labels) for name in (received, *settled))

    def waiting_records(self, offset: str = "") -> str:
        """Count the records that wait for the sink in Kafka."""
        lag = self.series("consumer_lag_messages")
        told = self.series("build_info", where("role", SINK))
        at = f" offset {offset}" if offset else ""
        joined = f"{lag}{at} * on ({', '.join(WORKER)}) group_left () {told}{at}"
        return total(joined, *RELEASE)

    def arrival_gap(self, hours: int = 1) -> str:
        """Forwarded in a window - accepted or rejected by the sink in it - more waiting for the sink than before it.

        More than a little of it for long has not arrived. Less is what was sent again after a redelivery. Of what
        Prometheus did not see, what arrived counts and what was forwarded does not: a doubt wakes nobody.
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
    """Write a label matcher."""
    return f'{label}="{value}"'


def greater(one: str, other: str) -> str:
    """Take the greater of two values, or the only one; it wants parentheses."""
    return f"{one} > {other} or {other} or {one}"


def total(expression: str, *by: str) -> str:
    """Sum an expression over what `by` does not tell apart."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"
