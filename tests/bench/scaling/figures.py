"""The results of the scaling measurement: bars, table and its part of the report."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from tests.bench.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.bench.rates.figures import PipelineCost

MOST_RATIO: Final = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """CPU microseconds per event of two sides, for each round."""

    name: str
    key: str
    few: Sequence[float]
    many: Sequence[float]

    @property
    def ratio(self) -> float:
        """Return the second side relative to the first: the median of the rounds."""
        return median(many / few for few, many in zip(self.few, self.many, strict=True))

    def __str__(self) -> str:
        return f"{self.name}: {median(self.few):.1f} and {median(self.many):.1f} µs per event, ratio {self.ratio:.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Comparisons in a backlog, and the cost of an event at a steady rate by the number of partitions."""

    comparisons: Sequence[Comparison]
    rate: int
    by_partitions: Mapping[int, PipelineCost]

    def figures(self) -> dict[str, Any]:
        """Return the figures as the report shows them."""
        return {
            "backlog": {
                each.key: {
                    "few_us": round(median(each.few), 1),
                    "many_us": round(median(each.many), 1),
                    "ratio": round(each.ratio, 3),
                }
                for each in self.comparisons
            },
            "partitions": {
                str(partitions): {
                    "processor_us": round(cost.processor.microseconds, 1),
                    "sink_us": round(cost.sink.microseconds, 1),
                    "p99_ms": round(cost.p99_ms),
                    "requests_per_second": round(cost.requests_per_second, 1),
                }
                for partitions, cost in self.by_partitions.items()
            },
        }


def scaling_verdicts(scaling: Scaling) -> Iterator[Verdict]:
    """Compare the ratios with their bar."""
    for each in scaling.comparisons:
        yield Verdict(name=f"backlog, {each.name}", value=each.ratio, bar=MOST_RATIO, unit="x")


def scaling_table(scaling: Scaling) -> Table:
    """Build the table of an event's cost at a steady rate, by the number of partitions."""
    table = Table(f"partitions, at {scaling.rate:,}/s", "processor µs", "sink µs", "p99 ms", "requests/s")
    for partitions, cost in scaling.by_partitions.items():
        table.add_row(
            str(partitions),
            f"{cost.processor.microseconds:.1f}",
            f"{cost.sink.microseconds:.1f}",
            f"{cost.p99_ms:.0f}",
            f"{cost.requests_per_second:.1f}",
        )
    for column in table.columns:
        column.justify = "right"
    return table
