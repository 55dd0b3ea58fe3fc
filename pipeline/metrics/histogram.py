"""A histogram that counts a whole batch at once; prometheus_client's own takes a microsecond for each value."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class AgeHistogram(Collector):
    """Counts ages in buckets, as one series. Its bounds and its sum are in seconds."""

    def __init__(
        self,
        name: str,
        text: str,
        *,
        bounds: Sequence[float],
        labels: Mapping[str, str],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._text = text
        self._labels = dict(labels)
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, times: Sequence[float], *, now: float) -> None:
        """Count the ages of events at these times, in seconds since the epoch. A time of 0 is unknown and not counted.

        An event with a time after ``now`` has an age of 0.
        """
        known = sorted(times)
        del known[: bisect_right(known, 0.0)]
        past = bisect_right(known, now)
        self._sum += now * past - sum(known[:past])
        older = len(known)
        for index, bound in enumerate(self._bounds):
            at_most = bisect_left(known, now - bound)  # everything before it is older than the bound
            self._counts[index] += older - at_most
            older = at_most
        self._counts[-1] += older

    def collect(self) -> Iterator[Metric]:
        """Yield the buckets with cumulative counts, as Prometheus expects them."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        counts = accumulate(self._counts)
        family = HistogramMetricFamily(self._name, self._text, labels=list(self._labels))
        family.add_metric(
            list(self._labels.values()),
            buckets=[(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)],
            sum_value=self._sum,
        )
        yield family
