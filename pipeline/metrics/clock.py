"""How far a worker's clock is from the brokers', as far as their time is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class ClockCollector(Collector):
    """Reads the difference at each scrape. It is absent while unknown, because 0 would mean that the clock is right."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ask: Callable[[], float | None] = lambda: None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the difference, without a sample while it is unknown."""
        difference = GaugeMetricFamily(
            "onesignal_pipeline_clock_difference_seconds",
            "This machine's time minus the brokers', as far as it is certain; absent until a broker has sent its time.",
        )
        if (seconds := self.ask()) is not None:
            difference.add_metric((), seconds)
        yield difference
