"""The results, as the report and the table show them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.meter import Measured

QUIET_MACHINE_US: Final = 10.0
"""CPU of the hand-written contestant per event of a backlog on a machine whose `scale` is 1."""


def scale_of(handwritten_backlog_us: float) -> float:
    """Return how many times slower than an idle reference machine this one is; at least 1."""
    return max(1.0, handwritten_backlog_us / QUIET_MACHINE_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU microseconds per event: in the median part of the window, and over the whole of it.

    ``repeated`` counts the records that a contestant wrote again; there are no kills, so none is expected.
    """

    microseconds: float
    mean: float
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineCost:
    """Processor and sink over a window; ``requests`` are those of both to Kafka, per second, by kind.

    ``repeated`` counts the records that arrived at the destination again.
    """

    processor: Cost
    sink: Cost
    p50_ms: float
    p99_ms: float
    broker_cores: float | None
    requests: Mapping[str, float]
    repeated: int = 0

    @property
    def requests_per_second(self) -> float:
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRate:
    """All contestants at one rate."""

    pipeline: PipelineCost
    handwritten: Cost
    handwritten_waiting: Cost
    kafka_streams: Cost | None

    def repeated(self) -> dict[str, int]:
        """Return how many records each contestant repeated, without those that repeated none."""
        counts = {
            "processor and sink": self.pipeline.repeated,
            "hand-written": self.handwritten.repeated,
            "hand-written, waiting": self.handwritten_waiting.repeated,
            "Kafka Streams": 0 if self.kafka_streams is None else self.kafka_streams.repeated,
        }
        return {name: count for name, count in counts.items() if count}

    def figures(self) -> dict[str, Any]:
        """Return the figures as the report shows them."""
        pipeline, streams = self.pipeline, self.kafka_streams
        return {
            "processor_us": round(pipeline.processor.microseconds, 1),
            "sink_us": round(pipeline.sink.microseconds, 1),
            "handwritten_us": round(self.handwritten.microseconds, 1),
            "handwritten_waiting_us": round(self.handwritten_waiting.microseconds, 1),
            "kafka_streams_us": None if streams is None else round(streams.microseconds, 1),
            "p50_ms": round(pipeline.p50_ms),
            "p99_ms": round(pipeline.p99_ms),
            "broker_cores": None if pipeline.broker_cores is None else round(pipeline.broker_cores, 3),
            "requests_per_second": round(pipeline.requests_per_second, 1),
            "repeated_records": self.repeated(),
            "whole_window_us": {
                "processor": round(pipeline.processor.mean, 1),
                "sink": round(pipeline.sink.mean, 1),
                "handwritten": round(self.handwritten.mean, 1),
                "handwritten_waiting": round(self.handwritten_waiting.mean, 1),
                "kafka_streams": None if streams is None else round(streams.mean, 1),
            },
        }


def repeated_text(counts: Mapping[str, int]) -> str:
    """Return a text about what contestants repeated."""
    repeated = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"records repeated without a kill: {repeated}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogRound:
    """The processor and the hand-written contestant on the same backlog, one right after another."""

    processor: Measured
    handwritten: Measured

    @property
    def ratio(self) -> float:
        return self.processor.cpu_microseconds_per_message / self.handwritten.cpu_microseconds_per_message


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """All results; ``idle_percent`` by role."""

    by_rate: Mapping[int, AtRate]
    backlog: Sequence[BacklogRound]
    idle_percent: Mapping[str, float]
    p99_short_flush_ms: float

    def backlog_us(self, contestant: Callable[[BacklogRound], Measured]) -> float:
        """Return the median CPU per event of a backlog."""
        return median(contestant(each).cpu_microseconds_per_message for each in self.backlog)

    @property
    def backlog_ratio(self) -> float:
        """Return the processor's CPU relative to the hand-written contestant's: the median of the rounds."""
        return median(each.ratio for each in self.backlog)

    @property
    def scale(self) -> float:
        """Return how many times slower than an idle reference machine this one is; at least 1."""
        return scale_of(self.backlog_us(lambda each: each.handwritten))

    def figures(self) -> dict[str, Any]:
        """Return the figures as the report shows them."""
        return {str(rate): each.figures() for rate, each in self.by_rate.items()} | {
            "handwritten_backlog_us": round(self.backlog_us(lambda each: each.handwritten), 1),
            "processor_backlog_us": round(self.backlog_us(lambda each: each.processor), 1),
            "backlog_ratio": round(self.backlog_ratio, 3),
            "scale": round(self.scale, 2),
            "idle_percent": round(max(self.idle_percent.values()), 2),
            "idle_percent_by_role": {role: round(percent, 2) for role, percent in self.idle_percent.items()},
            "p99_short_flush_ms": round(self.p99_short_flush_ms),
        }


_COLUMNS: Final[tuple[tuple[str, Callable[[AtRate], str]], ...]] = (
    ("processor", lambda each: f"{each.pipeline.processor.microseconds:.1f}"),
    ("sink", lambda each: f"{each.pipeline.sink.microseconds:.1f}"),
    ("hand-written", lambda each: f"{each.handwritten.microseconds:.1f}"),
    ("hand-written, waiting", lambda each: f"{each.handwritten_waiting.microseconds:.1f}"),
    ("Kafka Streams", lambda each: "-" if each.kafka_streams is None else f"{each.kafka_streams.microseconds:.1f}"),
    ("p50 ms", lambda each: f"{each.pipeline.p50_ms:.0f}"),
    ("p99 ms", lambda each: f"{each.pipeline.p99_ms:.0f}"),
    ("broker cores", lambda each: "-" if each.pipeline.broker_cores is None else f"{each.pipeline.broker_cores:.2f}"),
    ("requests/s", lambda each: f"{each.pipeline.requests_per_second:.1f}"),
)


def rates_table(rates: Rates) -> Table:
    """Build the table of each rate; the contestants in CPU microseconds per event."""
    table = Table("events/s", *(title for title, _ in _COLUMNS))
    for rate, each in rates.by_rate.items():
        table.add_row(f"{rate:,}", *(cell(each) for _, cell in _COLUMNS))
    for column in table.columns:
        column.justify = "right"
    return table
