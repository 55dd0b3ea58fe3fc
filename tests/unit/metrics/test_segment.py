from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, generate_latest

from pipeline.metrics.segment import AnswerClass, SegmentMetrics


class Reason(StrEnum):
    TOO_LARGE = "too_large"


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"onesignal_pipeline_segment_{name}", labels)


def test_received_is_accepted_and_rejected_and_given_back_and_in_flight() -> None:
    registry = CollectorRegistry()
    metrics = SegmentMetrics(registry)
    metrics.received(10)
    metrics.accepted(4, fullness=0.98)
    metrics.rejected(Reason.TOO_LARGE, 3)
    metrics.given_back(2)
    names = ("records_received_total", "records_accepted_total", "records_given_back_total", "records_in_flight")
    assert [value(registry, name) for name in names] == [10.0, 4.0, 2.0, 1.0]
    assert value(registry, "records_rejected_total", reason="too_large") == 3.0


def test_mean_fullness_is_sum_by_count() -> None:
    registry = CollectorRegistry()
    metrics = SegmentMetrics(registry)
    metrics.accepted(1, fullness=0.5)
    metrics.accepted(1, fullness=1.0)
    assert value(registry, "batch_fullness_ratio_sum") == 1.5
    assert value(registry, "batch_fullness_ratio_count") == 2.0


def test_attempts_are_told_apart_by_answer_and_timed() -> None:
    registry = CollectorRegistry()
    metrics = SegmentMetrics(registry)
    metrics.attempted(AnswerClass.THROTTLED, seconds=0.2)
    assert {label: value(registry, "attempts_total", answer=label) for label in AnswerClass} == {
        label: float(label is AnswerClass.THROTTLED) for label in AnswerClass
    }
    assert value(registry, "request_duration_seconds_sum") == 0.2


def test_labels_are_the_values_of_enums() -> None:
    registry = CollectorRegistry()
    SegmentMetrics(registry).rejected(Reason.TOO_LARGE, 0)
    text = generate_latest(registry).decode()
    assert 'records_rejected_total{reason="too_large"} 0.0' in text
    assert 'attempts_total{answer="2xx"} 0.0' in text
