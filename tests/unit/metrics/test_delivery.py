from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.metrics.delivery import AcceptedFlush, AnswerClass, DeliveryMetrics

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_767_225_600.0


class Reason(StrEnum):
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    lanes_in_flight: int = 2
    bytes_in_hand: int = 700
    batch_limit_bytes: int = 900


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"onesignal_pipeline_sink_{name}", {"destination": "segment"} | labels)


def flush(records: int = 1, *, event_times: Sequence[float] = (), **changes: Any) -> AcceptedFlush:
    facts: dict[str, Any] = {"body_bytes": 980, "budget_bytes": 1000, "budget_records": 2500}
    facts |= {"attempts": 1, "duration_seconds": 0.2}
    return AcceptedFlush(records=records, event_times=event_times, **(facts | changes))


def test_received_is_accepted_and_rejected_and_given_back_and_in_flight() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    metrics.received(10)
    metrics.accepted(flush(4), now=NOW)
    metrics.rejected(Reason.TOO_LARGE, 3)
    metrics.given_back(2)
    names = ("records_received_total", "records_accepted_total", "records_given_back_total", "records_in_flight")
    assert [value(registry, name) for name in names] == [10.0, 4.0, 2.0, 1.0]
    assert value(registry, "records_rejected_total", reason="too_large") == 3.0


def test_size_fullness_attempts_and_duration_of_a_flush_are_observed() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    metrics.accepted(flush(100, body_bytes=500, attempts=3, duration_seconds=4.0), now=NOW)
    metrics.accepted(flush(200, body_bytes=1000), now=NOW)
    names = ("records", "bytes", "fullness_ratio", "attempts", "duration_seconds")
    sums = {name: value(registry, f"request_batch_{name}_sum") for name in names}
    assert sums == {"records": 300, "bytes": 1500, "fullness_ratio": 1.5, "attempts": 4, "duration_seconds": 4.2}
    assert {value(registry, f"request_batch_{name}_count") for name in names} == {2.0}


def test_a_flush_that_reaches_the_limit_of_records_before_that_of_bytes_is_full() -> None:
    assert flush(2_500, body_bytes=800, budget_bytes=1000, budget_records=2_500).fullness == 1.0


def test_each_record_of_a_flush_counts_with_its_own_age() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    metrics.accepted(flush(3, event_times=(NOW - 0.1, NOW - 61, NOW - 5000)), now=NOW)
    metrics.accepted(flush(1, event_times=(NOW - 0.2,)), now=NOW)
    counted = {le: value(registry, "event_age_seconds_bucket", le=le) for le in ("0.1", "0.25", "60.0", "120.0")}
    assert counted == {"0.1": 1, "0.25": 2, "60.0": 2, "120.0": 3}
    assert value(registry, "event_age_seconds_bucket", le="3600.0") == 3
    assert value(registry, "event_age_seconds_bucket", le="+Inf") == value(registry, "event_age_seconds_count") == 4
    assert round(value(registry, "event_age_seconds_sum") or 0, 3) == 5061.3


def test_an_unknown_time_counts_in_no_bucket_and_one_to_come_is_no_age_at_all() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    metrics.accepted(flush(3, event_times=(NOW + 9, 0.0, NOW - 1)), now=NOW)
    assert value(registry, "event_age_seconds_count") == 2
    assert value(registry, "event_age_seconds_sum") == 1
    assert value(registry, "event_age_seconds_bucket", le="0.1") == 1


def test_lanes_and_the_breaker_are_looked_at_when_they_are_scraped() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    breaker = Breaker(BreakerLimits(max_share=0.05, window=100))
    metrics.watch(Lanes, lanes=4)
    metrics.breaker.watch(breaker)
    breaker.note(records=100, bad=3)
    names = ("lanes", "lanes_in_flight", "in_hand_bytes", "request_batch_limit_bytes")
    assert [value(registry, name) for name in names] == [4, 2, 700, 900]
    assert registry.get_sample_value("onesignal_pipeline_breaker_share_ratio", {"destination": "segment"}) == 0.03
    assert registry.get_sample_value("onesignal_pipeline_breaker_limit_ratio", {"destination": "segment"}) == 0.05


def test_attempts_are_told_apart_by_answer_and_timed() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry, destination="segment")
    metrics.attempted(AnswerClass.THROTTLED, seconds=0.2)
    assert {label: value(registry, "attempts_total", answer=label) for label in AnswerClass} == {
        label: float(label is AnswerClass.THROTTLED) for label in AnswerClass
    }
    assert value(registry, "request_duration_seconds_sum") == 0.2


def test_labels_are_the_values_of_enums() -> None:
    registry = CollectorRegistry()
    DeliveryMetrics(registry, destination="segment").rejected(Reason.TOO_LARGE, 0)
    text = generate_latest(registry).decode()
    assert 'records_rejected_total{destination="segment",reason="too_large"} 0.0' in text
    assert 'attempts_total{answer="2xx",destination="segment"} 0.0' in text
