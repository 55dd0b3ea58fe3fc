"""Consumer lag of each assigned partition, in messages and in seconds."""

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
    """Uncommitted messages of a partition, and how long its oldest unsettled message has waited."""

    partition: int
    messages: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHidden:
    """Messages of a partition that an open transaction hides, and for how long the same transaction has been open."""

    partition: int
    messages: int
    seconds: float


class LagCollector(Collector):
    """Reads the lag at each scrape, so a revoked partition no longer has a series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ask: Callable[[], Sequence[PartitionLag]] = tuple
        self.ask_hidden: Callable[[], Sequence[PartitionHidden]] = tuple
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the lag and the hidden messages of each partition."""
        yield from _both(
            self.ask(),
            GaugeMetricFamily(
                "onesignal_pipeline_consumer_lag_messages",
                "Uncommitted messages of an assigned partition.",
                labels=LABELS,
            ),
            GaugeMetricFamily(
                "onesignal_pipeline_consumer_lag_seconds",
                "How long the oldest unsettled message has been in its partition, by its Kafka timestamp.",
                labels=LABELS,
            ),
        )
        yield from _both(
            self.ask_hidden(),
            GaugeMetricFamily(
                "onesignal_pipeline_hidden_messages",
                "Messages of an assigned partition that are hidden by an open transaction; they are not in the lag.",
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
        labels = (str(each.partition),)
        messages.add_metric(labels, each.messages)
        seconds.add_metric(labels, each.seconds)
    return messages, seconds
