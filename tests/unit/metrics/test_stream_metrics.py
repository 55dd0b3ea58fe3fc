from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.metrics.stream import StreamMetrics


def test_commits_and_repeated_writes_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry)
    metrics.committed()
    metrics.committed()
    metrics.write_retried()
    assert registry.get_sample_value("onesignal_pipeline_commits_total") == 2
    assert registry.get_sample_value("onesignal_pipeline_write_retries_total") == 1


def test_what_the_consumer_knows_is_read_at_each_scrape() -> None:
    registry = CollectorRegistry()
    known = {"lag": 1.0, "partitions": 2.0, "in_hand": 3.0, "idle": 4.0, "ready": 0.0}
    StreamMetrics(registry).watch(
        lag=lambda: known["lag"],
        partitions=lambda: known["partitions"],
        in_hand=lambda: known["in_hand"],
        seconds_since_progress=lambda: known["idle"],
        ready=lambda: known["ready"],
    )
    names = ("consumer_lag_messages", "assigned_partitions", "messages_in_hand", "seconds_since_progress", "ready")
    assert [registry.get_sample_value(f"onesignal_pipeline_{name}") for name in names] == [1, 2, 3, 4, 0]
    known.update(lag=10.0, ready=1.0)
    assert [registry.get_sample_value(f"onesignal_pipeline_{name}") for name in names] == [10, 2, 3, 4, 1]
