"""What is asked of Prometheus more than once, as PromQL with a place for the selector."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "onesignal_pipeline_"
RELEASE: Final = ("namespace", "release")
"""What tells one installation from another; the scrape configuration gives every series these labels."""
WORKER: Final = (*RELEASE, "job", "instance")
"""What tells one worker from another."""
PROCESSOR: Final = "processor"
SINK: Final = "segment-sink"


class Scope:
    """Writes queries about what a selector chooses, such as one release: label matchers joined by commas."""

    def __init__(self, matchers: str = "") -> None:
        self._matchers = matchers

    def series(self, name: str, *more: str) -> str:
        """Name a metric of the pipeline with the scope's matchers and some more."""
        return self.foreign(f"{PREFIX}{name}", *more)

    def foreign(self, name: str, *more: str) -> str:
        """Name a metric of Python's own."""
        matchers = ",".join(filter(None, (self._matchers, *more)))
        return f"{name}{{{matchers}}}" if matchers else name

    def total(self, name: str, *by: str, labels: tuple[str, ...] = RELEASE) -> str:
        """Sum a metric over what `labels` and `by` do not tell apart."""
        return total(self.series(name), *labels, *by)

    def rate(self, name: str, *by: str, window: str = "5m", matchers: tuple[str, ...] = ()) -> str:
        """Say how much is counted in a second."""
        return total(f"rate({self.series(name, *matchers)}[{window}])", *RELEASE, *by)

    def increase(self, name: str, window: str, *by: str) -> str:
        """Say how much was counted in a window."""
        return total(f"increase({self.series(name)}[{window}])", *RELEASE, *by)

    def with_role(self, expression: str, *matchers: str) -> str:
        """Tell of each worker which role it has, or keep those of one role."""
        told = self.series("build_info", *matchers)
        return f"({expression}) * on ({', '.join(WORKER)}) group_left (role) {told}"

    def of_role(self, expression: str, role: str) -> str:
        """Keep the workers of a role."""
        return self.with_role(expression, f'role="{role}"')

    # ---- It adds up: design.md, promise 3.

    def processor_gap(self, labels: tuple[str, ...] = WORKER) -> str:
        """Received - forwarded - dropped - rejected - given back - in flight; never anything but 0."""
        settled = ("events_forwarded_total", "events_dropped_total", "events_rejected_total", "events_given_back_total")
        return self._gap("events_received_total", (*settled, "events_in_flight"), labels)

    def sink_gap(self, labels: tuple[str, ...] = WORKER) -> str:
        """Received - accepted - rejected - given back - in flight; never anything but 0."""
        settled = ("records_accepted_total", "records_rejected_total", "records_given_back_total", "records_in_flight")
        return self._gap("segment_records_received_total", tuple(f"segment_{name}" for name in settled), labels)

    def _gap(self, received: str, settled: tuple[str, ...], labels: tuple[str, ...]) -> str:
        return "\n- ".join(self.total(name, labels=labels) for name in (received, *settled))

    def waiting_records(self, offset: str = "") -> str:
        """Count the records that wait for the sink in Kafka."""
        lag = self.series("consumer_lag_messages")
        told = self.series("build_info", f'role="{SINK}"')
        at = f" offset {offset}" if offset else ""
        joined = f"{lag}{at} * on ({', '.join(WORKER)}) group_left () {told}{at}"
        return total(joined, *RELEASE)

    def arrival_gap(self, window: str = "1h") -> str:
        """Forwarded in a window - accepted or rejected by the sink in it - more waiting for the sink than before it.

        More than a little of it for long has not arrived. Less is what was sent again after a redelivery.
        """
        forwarded = self.increase("events_forwarded_total", window)
        arrived = (
            self.increase("segment_records_accepted_total", window),
            self.increase("segment_records_rejected_total", window),
        )
        now = self.waiting_records()
        before = f"({self.waiting_records(window)} or 0 * {now})"
        return "\n- ".join((forwarded, *arrived, f"({now} - {before})"))


def total(expression: str, *by: str) -> str:
    """Sum an expression over what `by` does not tell apart."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"
