"""How far a worker's clock is from the brokers', where a broker has told its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class ClockCollector(Collector):
    """Asks at each scrape; while nothing is known the series is absent, for 0 would say that the clock is right."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ask: Callable[[], float | None] = lambda: None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the difference."""
        difference = GaugeMetricFamily(
            "onesignal_pipeline_clock_difference_seconds",
            "This machine's time less the brokers', as far as it is sure; absent while no broker has told any.",
        )
        if (told := self.ask()) is not None:
            difference.add_metric((), told)
        yield difference
