from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.metrics.lag import PartitionHidden, PartitionLag
from pipeline.metrics.stream import StreamMetrics
from pipeline.processor.deciding import STAGE


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"onesignal_pipeline_{name}", labels)


def test_commits_rebalances_and_repeated_writes_are_counted(registry: CollectorRegistry) -> None:
    metrics = StreamMetrics(registry)
    metrics.committed()
    metrics.committed()
    metrics.commit_failed()
    metrics.rebalanced()
    metrics.write_retried()
    names = ("commits_total", "commits_failed_total", "rebalances_total", "write_retries_total")
    assert [value(registry, name) for name in names] == [2, 1, 1, 1]


def test_stored_dead_letters_are_counted_by_stage_and_reason(registry: CollectorRegistry) -> None:
    StreamMetrics(registry).dead_letters_stored(STAGE, RejectReason.NOT_JSON, 3)
    assert value(registry, "dead_letters_total", stage="processor", reason="not_json") == 3


def test_the_size_of_batches_that_holds_now_is_shown_for_each_topic(registry: CollectorRegistry) -> None:
    metrics = StreamMetrics(registry)
    metrics.batches_limited("segment.records", 50_000)
    metrics.batches_limited("segment.records", 25_000)
    assert value(registry, "write_batch_limit_bytes", topic="segment.records") == 25_000


def test_build_and_bounds_are_shown(registry: CollectorRegistry) -> None:
    metrics = StreamMetrics(registry, destination="segment")
    metrics.built(role="processor", version="1.2.3")
    metrics.bounds(memory_bytes=1024)
    metrics.retention(3600.0)
    samples = [sample for family in registry.collect() for sample in family.samples]
    build = next(sample for sample in samples if sample.name == "onesignal_pipeline_build_info")
    labels = [build.labels[name] for name in ("role", "destination", "version")]
    assert (labels, build.value) == (["processor", "segment", "1.2.3"], 1)
    assert value(registry, "memory_limit_bytes") == 1024
    assert value(registry, "source_retention_seconds") == 3600


def test_how_far_the_clock_is_off_is_read_at_each_scrape_and_absent_while_unknown(registry: CollectorRegistry) -> None:
    difference: list[float | None] = [None]
    StreamMetrics(registry).clock(lambda: difference[0])
    assert value(registry, "clock_difference_seconds") is None
    difference[0] = -7200.5
    assert value(registry, "clock_difference_seconds") == -7200.5


def test_what_the_consumer_knows_is_read_at_each_scrape(registry: CollectorRegistry) -> None:
    known = {"partitions": 2.0, "in_hand": 3.0, "full": 1.0, "idle": 4.0, "stuck": 2.5, "ready": 0.0, "retrying": 1.0}
    lags = [PartitionLag(partition=7, messages=5, seconds=1.5)]
    hidden = [PartitionHidden(partition=7, messages=9, seconds=61.5)]
    holds = {HoldReason.BREAKER}
    StreamMetrics(registry).watch(
        lag=lambda: lags,
        hidden=lambda: hidden,
        partitions=lambda: known["partitions"],
        in_hand=lambda: known["in_hand"],
        full_partitions=lambda: known["full"],
        seconds_since_progress=lambda: known["idle"],
        stuck_seconds=lambda: known["stuck"],
        ready=lambda: known["ready"],
        retrying=lambda: known["retrying"],
        holds=lambda: holds,
    )
    names = ("assigned_partitions", "messages_in_hand", "full_partitions", "seconds_since_progress", "ready")
    assert [value(registry, name) for name in names] == [2, 3, 1, 4, 0]
    assert (value(registry, "retrying"), value(registry, "stuck_seconds")) == (1, 2.5)
    assert value(registry, "consumer_lag_messages", partition="7") == 5
    assert value(registry, "consumer_lag_seconds", partition="7") == 1.5
    assert value(registry, "hidden_messages", partition="7") == 9
    assert value(registry, "hidden_seconds", partition="7") == 61.5
    assert {reason: value(registry, "holding", reason=reason.value) for reason in HoldReason} == {
        reason: float(reason is HoldReason.BREAKER) for reason in HoldReason
    }
    known.update(idle=10.0, ready=1.0, retrying=0.0)
    lags[:] = [PartitionLag(partition=8, messages=0, seconds=0.0)]
    holds.clear()
    hidden.clear()
    assert [value(registry, name) for name in names] == [2, 3, 1, 10, 1]
    assert value(registry, "retrying") == 0
    assert value(registry, "consumer_lag_messages", partition="7") is None, "it was given up"
    assert value(registry, "hidden_seconds", partition="7") is None
    assert value(registry, "holding", reason="breaker") == 0
