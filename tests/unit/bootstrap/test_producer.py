from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pipeline.bootstrap import producer as module
from pipeline.bootstrap.producer import open_producer
from pipeline.metrics.stream import StreamMetrics
from pipeline.settings import load_settings

if TYPE_CHECKING:
    import pytest


class _Producer:
    """A producer that repeats one write as soon as it is connected."""

    def __init__(self, _connection: object, **told: Any) -> None:
        self._on_retry = told["on_retry"]

    async def start(self) -> None:
        self._on_retry()

    async def stop(self) -> None:
        pass


async def test_a_write_that_is_repeated_is_told_to_the_metrics_and_to_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BatchProducer", _Producer)
    registry = CollectorRegistry()
    told: list[str] = []
    async with open_producer(load_settings({}), {}, StreamMetrics(registry), on_retry=lambda: told.append("repeated")):
        pass
    assert registry.get_sample_value("onesignal_pipeline_write_retries_total") == 1
    assert told == ["repeated"]
