"""What the Segment sink counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import Counter, Gauge, Histogram

from pipeline.metrics.breaker import BreakerMetrics
from pipeline.metrics.histogram import AgeHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import CollectorRegistry

AGES: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_FLUSH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
_FLUSH_RECORDS: Final = (1, 10, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 2_500)
_FLUSH_BYTES: Final = (1_000, 10_000, 50_000, 100_000, 200_000, 300_000, 400_000, 450_000, 475_000, 500_000)
_FLUSH_ATTEMPTS: Final = (1, 2, 3, 5, 10, 30, 100)
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


class Doubt(StrEnum):
    """Why an answer that accepted a request is not what Segment says, as a metric label."""

    PAGE = "page"
    NOT_SUCCESS = "not_success"


class LanesState(Protocol):
    """What is looked at when it is scraped."""

    @property
    def lanes_in_flight(self) -> int:
        """Lanes with a request under way."""

    @property
    def bytes_in_hand(self) -> int:
        """Bytes of the records that are not settled."""

    @property
    def batch_limit_bytes(self) -> int:
        """Bytes that a request may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFlush:
    """One request that Segment accepted.

    ``duration_seconds`` is the time from its first attempt, and ``event_times`` are when its events happened, in
    seconds since the epoch, 0 where that is not known.
    """

    records: int
    body_bytes: int
    budget_bytes: int
    attempts: int
    duration_seconds: float
    event_times: Sequence[float]

    @property
    def fullness(self) -> float:
        return self.body_bytes / self.budget_bytes


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
        self._doubtful = Counter(
            name + "doubtful_answers",
            "Requests that count as accepted by their status, with an answer that is not Segment's: a web page, or one"
            " that denies success.",
            ["content"],
            registry=registry,
        )
        self._duration = Histogram(
            name + "request_duration_seconds", "Duration of a request.", buckets=_DURATIONS, registry=registry
        )
        self._fullness = Histogram(
            name + "batch_fullness_ratio",
            "Bytes of an accepted request against the limit in force; sum / count is the mean fullness.",
            buckets=_FULLNESS,
            registry=registry,
        )
        self._flush_records = Histogram(
            name + "batch_records", "Records of an accepted request.", buckets=_FLUSH_RECORDS, registry=registry
        )
        self._flush_bytes = Histogram(
            name + "batch_bytes",
            "Bytes of an accepted request before compression.",
            buckets=_FLUSH_BYTES,
            registry=registry,
        )
        self._flush_attempts = Histogram(
            name + "batch_attempts",
            "Attempts that an accepted request took.",
            buckets=_FLUSH_ATTEMPTS,
            registry=registry,
        )
        self._flush_duration = Histogram(
            name + "batch_duration_seconds",
            "Time from the first attempt of a request until Segment accepted it.",
            buckets=_FLUSH_SECONDS,
            registry=registry,
        )
        self._ages = AgeHistogram(
            name + "event_age_seconds",
            "Time from OneSignal's event to Segment's 200, for each record; what is sent again counts again.",
            bounds=AGES,
            registry=registry,
        )
        self._lanes = Gauge(name + "lanes", "Requests that this worker may have under way.", registry=registry)
        self._lanes_in_flight = Gauge(name + "lanes_in_flight", "Requests that are under way now.", registry=registry)
        self._bytes_in_hand = Gauge(
            name + "in_hand_bytes", "Bytes of the records received and not yet settled.", registry=registry
        )
        self._batch_limit = Gauge(
            name + "batch_limit_bytes",
            "Bytes that a request may have before compression: the setting, or less since larger ones got a 413.",
            registry=registry,
        )
        self.breaker = BreakerMetrics(registry)
        for answer in AnswerClass:
            self._attempts.labels(answer)
        for doubt in Doubt:
            self._doubtful.labels(doubt)

    def received(self, records: int) -> None:
        """Count records taken from Kafka."""
        self._received.inc(records)
        self._in_flight.inc(records)

    def watch(self, state: Callable[[], LanesState], *, lanes: int) -> None:
        """Show how the lanes are when it is scraped."""
        self._lanes.set(lanes)
        self._lanes_in_flight.set_function(lambda: state().lanes_in_flight)
        self._bytes_in_hand.set_function(lambda: state().bytes_in_hand)
        self._batch_limit.set_function(lambda: state().batch_limit_bytes)

    def accepted(self, flush: AcceptedFlush, *, now: float) -> None:
        """Count one accepted request. ``now`` is in seconds since the epoch."""
        self._accepted.inc(flush.records)
        self._in_flight.dec(flush.records)
        self._fullness.observe(flush.fullness)
        self._flush_records.observe(flush.records)
        self._flush_bytes.observe(flush.body_bytes)
        self._flush_attempts.observe(flush.attempts)
        self._flush_duration.observe(flush.duration_seconds)
        self._ages.observe(flush.event_times, now=now)

    def rejected(self, reason: StrEnum, records: int) -> None:
        """Count records stored as dead letters; zero of them makes the reason visible."""
        self._rejected.labels(reason).inc(records)
        self._in_flight.dec(records)

    def given_back(self, records: int) -> None:
        """Count records received, and given up unsettled with their partition."""
        self._given_back.inc(records)
        self._in_flight.dec(records)

    def doubted(self, doubt: Doubt) -> None:
        """Count one request that counts as accepted, though the answer is not Segment's."""
        self._doubtful.labels(doubt).inc()

    def attempted(self, answer: AnswerClass, *, seconds: float) -> None:
        """Count one request and how long it took."""
        self._attempts.labels(answer).inc()
        self._duration.observe(seconds)
