"""What a sink counts."""

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

_PREFIX: Final = "onesignal_pipeline_sink_"
AGES: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_FLUSH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
_FLUSH_RECORDS: Final = (1, 10, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 2_500)
_SEGMENT_BYTES: Final = (1_000, 10_000, 50_000, 100_000, 200_000, 300_000, 400_000, 450_000, 475_000, 500_000)
_MIXPANEL_BYTES: Final = (750_000, 1_000_000, 1_500_000, 1_900_000, 2_000_000)
_FLUSH_BYTES: Final = (*_SEGMENT_BYTES, *_MIXPANEL_BYTES)
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
    """Why a 2xx answer may not come from the destination, as a metric label."""

    PAGE = "page"
    NOT_SUCCESS = "not_success"


class UnclearAnswer(StrEnum):
    """Why an answer leaves open what was accepted, as a metric label."""

    NOT_WHOLE = "not_whole"
    NOT_UNDERSTOOD = "not_understood"
    CONTRADICTION = "contradiction"
    """Its numbers contradict what was sent."""


class LanesStatus(Protocol):
    """The status of all lanes, read at each scrape."""

    @property
    def lanes_in_flight(self) -> int:
        """Lanes with a request in flight."""

    @property
    def bytes_in_hand(self) -> int:
        """Bytes of the unsettled records."""

    @property
    def batch_limit_bytes(self) -> int:
        """Most bytes of a request batch before compression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFlush:
    """One request batch that the destination accepted. It is full when it has ``budget_bytes`` or ``budget_records``.

    ``duration_seconds`` counts from its first attempt. ``event_times`` are the times of its events in seconds since the
    epoch, 0 where the time is unknown.
    """

    records: int
    body_bytes: int
    budget_bytes: int
    budget_records: int
    attempts: int
    duration_seconds: float
    event_times: Sequence[float]

    @property
    def fullness(self) -> float:
        """Return the share of the limit that binds."""
        return max(self.body_bytes / self.budget_bytes, self.records / self.budget_records)


class DeliveryMetrics:
    """Counts the facts of one sink by request batch.

    At any time received = accepted + rejected + in flight + given back.
    """

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, ("destination", *labels), registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(_PREFIX + name, text, ["destination"], registry=registry).labels(destination)

        def histogram(name: str, text: str, buckets: Sequence[float]) -> Histogram:
            found = Histogram(_PREFIX + name, text, ["destination"], buckets=buckets, registry=registry)
            return found.labels(destination)

        self._destination = destination
        self._received = counter("records_received", "Records read from Kafka.").labels(destination)
        self._accepted = counter("records_accepted", "Records that the destination accepted.").labels(destination)
        self._rejected = counter("records_rejected", "Records stored as dead letters.", "reason")
        self._rejected_for: dict[StrEnum, Counter] = {}
        self._given_back = counter(
            "records_given_back",
            "Records whose partition was revoked before they were settled; Kafka redelivers them to another worker.",
        ).labels(destination)
        self._in_flight = gauge("records_in_flight", "Records received and not yet settled.")
        attempts = counter("attempts", "Requests to the destination, by how they ended.", "answer")
        self._attempts = {answer: attempts.labels(destination, answer) for answer in AnswerClass}
        doubtful = counter(
            "doubtful_answers",
            "Requests that count as accepted by their status although the answer may not be the destination's: it is a"
            " web page, or it denies success.",
            "content",
        )
        self._doubtful = {doubt: doubtful.labels(destination, doubt) for doubt in Doubt}
        unclear = counter(
            "unclear_answers",
            "Answers that leave open what was accepted: cut off, not understood, or with numbers that contradict what"
            " was sent. The request is sent again.",
            "problem",
        )
        self._unclear = {answer: unclear.labels(destination, answer) for answer in UnclearAnswer}
        self._duration = histogram("request_duration_seconds", "Duration of one request.", _DURATIONS)
        self._fullness = histogram(
            "request_batch_fullness_ratio",
            "How full an accepted request batch was: its share of the limit that binds, bytes or records. sum / count"
            " is the mean.",
            _FULLNESS,
        )
        self._flush_records = histogram(
            "request_batch_records", "Records of an accepted request batch.", _FLUSH_RECORDS
        )
        self._flush_bytes = histogram(
            "request_batch_bytes", "Bytes of an accepted request batch before compression.", _FLUSH_BYTES
        )
        self._flush_attempts = histogram(
            "request_batch_attempts", "Attempts until a request batch was accepted.", _FLUSH_ATTEMPTS
        )
        self._flush_duration = histogram(
            "request_batch_duration_seconds",
            "Time from the first attempt of a request batch until it was accepted.",
            _FLUSH_SECONDS,
        )
        self._ages = AgeHistogram(
            _PREFIX + "event_age_seconds",
            "Event age at delivery: time from OneSignal's event until the destination accepted its record. Records that"
            " are sent again count again.",
            bounds=AGES,
            labels={"destination": destination},
            registry=registry,
        )
        self._lanes = gauge("lanes", "Most requests that this worker may have in flight.")
        self._lanes_in_flight = gauge("lanes_in_flight", "Requests that are in flight now.")
        self._bytes_in_hand = gauge("in_hand_bytes", "Bytes of the records received and not yet settled.")
        self._batch_limit = gauge(
            "request_batch_limit_bytes",
            "Most bytes of a request batch before compression: the setting, or less after a larger one got a 413.",
        )
        self.breaker = BreakerMetrics(registry, destination=destination)

    def received(self, records: int) -> None:
        """Count records read from Kafka."""
        self._received.inc(records)
        self._in_flight.inc(records)

    def watch(self, status: Callable[[], LanesStatus], *, lanes: int) -> None:
        """Show the status of the lanes, read at each scrape."""
        self._lanes.set(lanes)
        self._lanes_in_flight.set_function(lambda: status().lanes_in_flight)
        self._bytes_in_hand.set_function(lambda: status().bytes_in_hand)
        self._batch_limit.set_function(lambda: status().batch_limit_bytes)

    def accepted(self, flush: AcceptedFlush, *, now: float) -> None:
        """Count one accepted request batch. ``now`` is in seconds since the epoch."""
        self._accepted.inc(flush.records)
        self._in_flight.dec(flush.records)
        self._fullness.observe(flush.fullness)
        self._flush_records.observe(flush.records)
        self._flush_bytes.observe(flush.body_bytes)
        self._flush_attempts.observe(flush.attempts)
        self._flush_duration.observe(flush.duration_seconds)
        self._ages.observe(flush.event_times, now=now)

    def rejected(self, reason: StrEnum, records: int) -> None:
        """Count records stored as dead letters. Counting 0 makes the reason visible."""
        series = self._rejected_for.get(reason)
        if series is None:
            series = self._rejected_for[reason] = self._rejected.labels(self._destination, reason)
        series.inc(records)
        self._in_flight.dec(records)

    def given_back(self, records: int) -> None:
        """Count records that were received and given up unsettled with their partition."""
        self._given_back.inc(records)
        self._in_flight.dec(records)

    def unclear(self, answer: UnclearAnswer) -> None:
        """Count one answer that leaves open what was accepted."""
        self._unclear[answer].inc()

    def doubted(self, doubt: Doubt) -> None:
        """Count one request that counts as accepted although the answer may not be the destination's."""
        self._doubtful[doubt].inc()

    def attempted(self, answer: AnswerClass, *, seconds: float) -> None:
        """Count one request and its duration."""
        self._attempts[answer].inc()
        self._duration.observe(seconds)
