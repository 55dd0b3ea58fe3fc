"""The bars of the rates. Absolute ones are multiplied by `scale`, since machines differ by a factor of three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.settings.segment_section import SegmentSettings
from tests.bench.verdicts import MOST_BACKLOG_RATIO, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench.rates.figures import AtRate, Rates

FLUSH_INTERVAL_MS: Final = 1000 * float(SegmentSettings.model_fields["flush_interval_seconds"].default)
SHORT_FLUSH_SECONDS: Final = 0.05
MOST_OVER_FLUSH_MS: Final = 200.0
MOST_SHORT_FLUSH_MS: Final = 250.0
MOST_IDLE_PERCENT: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The bars at one rate: microseconds on an idle machine, and ratios to the hand-written contestant."""

    processor_us: float
    sink_us: float
    to_waiting: float
    to_handwritten: float | None


BARS: Final[Mapping[int, Bars]] = {
    1_000: Bars(processor_us=50, sink_us=30, to_waiting=1.3, to_handwritten=0.35),
    10_000: Bars(processor_us=18, sink_us=12, to_waiting=1.15, to_handwritten=None),
}


def rates_verdicts(rates: Rates) -> Iterator[Verdict]:
    """Compare everything with its bar."""
    for rate, bars in BARS.items():
        if rate in rates.by_rate:
            yield from _at_rate(f"{rate:,}/s", rates.by_rate[rate], bars, rates.scale)
    yield Verdict(
        name=f"1,000/s, flush interval {SHORT_FLUSH_SECONDS:g} s: p99 to the destination",
        value=rates.p99_short_flush_ms,
        bar=MOST_SHORT_FLUSH_MS,
        unit="ms",
    )
    for role, percent in rates.idle_percent.items():
        yield Verdict(
            name=f"idle {role} (bar {MOST_IDLE_PERCENT:g} x scale)",
            value=percent,
            bar=MOST_IDLE_PERCENT * rates.scale,
            unit="% of a core",
        )
    yield Verdict(
        name="backlog: processor relative to hand-written", value=rates.backlog_ratio, bar=MOST_BACKLOG_RATIO, unit="x"
    )


def _at_rate(name: str, found: AtRate, bars: Bars, scale: float) -> Iterator[Verdict]:
    pipeline = found.pipeline
    processor = pipeline.processor.microseconds
    yield Verdict(
        name=f"{name}: processor, CPU per event (bar {bars.processor_us:g} x scale)",
        value=processor,
        bar=bars.processor_us * scale,
        unit="µs",
    )
    yield Verdict(
        name=f"{name}: processor relative to hand-written with waiting",
        value=processor / found.handwritten_waiting.microseconds,
        bar=bars.to_waiting,
        unit="x",
    )
    if bars.to_handwritten is not None:
        yield Verdict(
            name=f"{name}: processor relative to hand-written",
            value=processor / found.handwritten.microseconds,
            bar=bars.to_handwritten,
            unit="x",
        )
    yield Verdict(
        name=f"{name}: sink, CPU per event (bar {bars.sink_us:g} x scale)",
        value=pipeline.sink.microseconds,
        bar=bars.sink_us * scale,
        unit="µs",
    )
    yield Verdict(
        name=f"{name}: p99 to the destination",
        value=pipeline.p99_ms,
        bar=FLUSH_INTERVAL_MS + MOST_OVER_FLUSH_MS,
        unit="ms",
    )
