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


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHidden:
    """What of a partition is hidden by an open transaction, and for how long by the same one."""

    partition: int
    messages: int
    seconds: float


class LagCollector(Collector):
    """Asks at each scrape, so a partition that was given up is not told of any more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ask: Callable[[], Sequence[PartitionLag]] = tuple
        self.ask_hidden: Callable[[], Sequence[PartitionHidden]] = tuple
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the numbers of each partition."""
        yield from _both(
            self.ask(),
            GaugeMetricFamily(
                "onesignal_pipeline_consumer_lag_messages",
                "Messages of an assigned partition that are not committed.",
                labels=LABELS,
            ),
            GaugeMetricFamily(
                "onesignal_pipeline_consumer_lag_seconds",
                "How long the oldest message that is not settled has been in its partition, by its Kafka timestamp.",
                labels=LABELS,
            ),
        )
        yield from _both(
            self.ask_hidden(),
            GaugeMetricFamily(
                "onesignal_pipeline_hidden_messages",
                "Messages of an assigned partition that are stored and cannot be read yet: they are not in the lag.",
                labels=LABELS,
            ),
            GaugeMetricFamily(
                "onesignal_pipeline_hidden_seconds",
                "How long the same open transaction of a producer has hidden messages of an assigned partition.",
                labels=LABELS,
            ),
        )


def _both(
    found: Sequence[PartitionLag] | Sequence[PartitionHidden], messages: GaugeMetricFamily, seconds: GaugeMetricFamily
) -> tuple[Metric, Metric]:
    for each in found:
        place = (str(each.partition),)
        messages.add_metric(place, each.messages)
        seconds.add_metric(place, each.seconds)
    return messages, seconds
