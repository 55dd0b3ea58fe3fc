"""A histogram that is told of a whole batch at once: prometheus_client's own takes a microsecond for each value."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


class AgeHistogram(Collector):
    """Counts ages in buckets; its bounds and its sum are in seconds."""

    def __init__(self, name: str, text: str, *, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, times: Sequence[float], *, now: float) -> None:
        """Count the ages of what happened at these times, in seconds since the epoch; a time of 0 is not known.

        What is to come by the clock of whoever wrote it has an age of 0.
        """
        known = sorted(times)
        del known[: bisect_right(known, 0.0)]
        past = bisect_right(known, now)
        self._sum += now * past - sum(known[:past])
        older = len(known)
        for index, bound in enumerate(self._bounds):
            at_most = bisect_left(known, now - bound)  # what stands before it is older than the bound
            self._counts[index] += older - at_most
            older = at_most
        self._counts[-1] += older

    def collect(self) -> Iterator[Metric]:
        """Give the buckets, each with what is in those before it, as Prometheus counts them."""
        labels = [*map(floatToGoString, self._bounds), "+Inf"]
        counts = accumulate(self._counts)
        yield HistogramMetricFamily(
            self._name,
            self._text,
            buckets=[(label, float(count)) for label, count in zip(labels, counts, strict=True)],
            sum_value=self._sum,
        )
