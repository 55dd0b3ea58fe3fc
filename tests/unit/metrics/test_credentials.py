from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.metrics.credentials import CredentialsMetrics


def test_a_file_that_cannot_be_used_shows_until_it_can() -> None:
    registry = CollectorRegistry()
    metrics = CredentialsMetrics(registry, destination="segment")
    name = "onesignal_pipeline_sink_credentials_reload_failing"
    shown = []
    for usable in (True, False, True):
        metrics.judged(usable=usable)
        shown.append(registry.get_sample_value(name, {"destination": "segment"}))
    assert shown == [0, 1, 0]
