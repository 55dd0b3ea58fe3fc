"""How much waits in Kafka, for each assigned partition, in messages and in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

LABELS: Final = ("partition",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """What is not committed of a partition, and for how long the oldest message that is not settled has waited."""

    partition: int
    messages: int
    seconds: float


class LagCollector(Collector):
    """Asks at each scrape, so a partition that was given up is not told of any more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ask: Callable[[], Sequence[PartitionLag]] = tuple
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give both numbers of each partition."""
        messages = GaugeMetricFamily(
            "onesignal_pipeline_consumer_lag_messages",
            "Messages of an assigned partition that are not committed.",
            labels=LABELS,
        )
        seconds = GaugeMetricFamily(
            "onesignal_pipeline_consumer_lag_seconds",
            "How long the oldest message that is not settled has been in its partition, by its Kafka timestamp.",
            labels=LABELS,
        )
        for lag in self.ask():
            place = (str(lag.partition),)
            messages.add_metric(place, lag.messages)
            seconds.add_metric(place, lag.seconds)
        yield messages
        yield seconds
