from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.metrics.write_key import WriteKeyMetrics


def test_a_file_that_cannot_be_used_shows_until_it_can() -> None:
    registry = CollectorRegistry()
    metrics = WriteKeyMetrics(registry)
    shown = []
    for usable in (True, False, True):
        metrics.judged(usable=usable)
        shown.append(registry.get_sample_value("onesignal_pipeline_segment_write_key_reload_failing"))
    assert shown == [0, 1, 0]
