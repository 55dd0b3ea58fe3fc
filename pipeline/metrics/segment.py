"""What the Segment sink counts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_DURATIONS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_FULLNESS: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 1.0)


class AnswerClass(StrEnum):
    """How a request ended, as a metric label."""

    ACCEPTED = "2xx"
    REDIRECTED = "3xx"
    REFUSED = "4xx"
    THROTTLED = "429"
    FAILED = "5xx"
    OTHER = "other"
    TIMEOUT = "timeout"
    NETWORK = "network"


class SegmentMetrics:
    """Count by batch. At any time received = accepted + rejected + in flight + given back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name = "onesignal_pipeline_segment_"
        self._received = Counter(name + "records_received", "Records taken from Kafka.", registry=registry)
        self._accepted = Counter(name + "records_accepted", "Records that Segment accepted.", registry=registry)
        self._rejected = Counter(
            name + "records_rejected", "Records stored as dead letters.", ["reason"], registry=registry
        )
        self._given_back = Counter(
            name + "records_given_back",
            "Records whose partition went to another worker before they were settled; Kafka delivers them again.",
            registry=registry,
        )
        self._in_flight = Gauge(name + "records_in_flight", "Records received and not yet settled.", registry=registry)
        self._attempts = Counter(
            name + "attempts", "Requests to Segment, by how they ended.", ["answer"], registry=registry
        )
        self._duration = Histogram(
            name + "request_duration_seconds", "Duration of a request.", buckets=_DURATIONS, registry=registry
        )
        self._fullness = Histogram(
            name + "batch_fullness_ratio",
            "Bytes of an accepted request against the budget; sum / count is the mean fullness.",
            buckets=_FULLNESS,
            registry=registry,
        )
        self._holding = Gauge(name + "holding", "1 while the sink holds and needs somebody to look.", registry=registry)
        for answer in AnswerClass:
            self._attempts.labels(answer)

    def received(self, records: int) -> None:
        """Count records taken from Kafka."""
        self._received.inc(records)
        self._in_flight.inc(records)

    def accepted(self, records: int, *, fullness: float) -> None:
        """Count the records of one accepted request. ``fullness`` is its bytes / the budget."""
        self._accepted.inc(records)
        self._in_flight.dec(records)
        self._fullness.observe(fullness)

    def rejected(self, reason: StrEnum, records: int) -> None:
        """Count records stored as dead letters; zero of them makes the reason visible."""
        self._rejected.labels(reason).inc(records)
        self._in_flight.dec(records)

    def given_back(self, records: int) -> None:
        """Count records received, and given up unsettled with their partition."""
        self._given_back.inc(records)
        self._in_flight.dec(records)

    def attempted(self, answer: AnswerClass, *, seconds: float) -> None:
        """Count one request and how long it took."""
        self._attempts.labels(answer).inc()
        self._duration.observe(seconds)

    def holding(self, *, holding: bool) -> None:
        """Tell whether the sink holds."""
        self._holding.set(holding)
