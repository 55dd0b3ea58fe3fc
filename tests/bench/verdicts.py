"""The bars, the comparison with them, and the table and file with the result. Nothing fails here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench.comparison import Comparison
    from tests.bench.kills import Killed
    from tests.bench.memory import Memory

REPORT = Path("build/bench.json")
MOST_BACKLOG_RATIO = 1.1
"""In a backlog the processor uses at most this many times the CPU of the hand-written contestant."""
MOST_MIXPANEL_PROCESSOR_RATIO = 1.1
MOST_MIXPANEL_SINK_RATIO = 1.2
MOST_UNUSED = 0.05
MOST_DUPLICATES_A_KILL = 200
"""At 1,000 events/s: what `PIPELINE_FETCH_MAX_WAIT_MS` collects, and as much again under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One bar. ``value`` must be at most ``bar``."""

    name: str
    value: float
    bar: float
    unit: str

    @property
    def passed(self) -> bool:
        return self.value <= self.bar

    def __str__(self) -> str:
        word = "PASS" if self.passed else "MISS"
        return f"{word}  {self.name}: {self.value:.2f} {self.unit}, bar {self.bar:g} {self.unit}"


def speed_verdicts(comparison: Comparison) -> Iterator[Verdict]:
    """Compare processor and sink with their bars."""
    yield Verdict(name="processor, CPU per event", value=comparison.cpu(lambda each: each.processor), bar=20, unit="µs")
    yield Verdict(
        name="processor relative to hand-written aiokafka",
        value=comparison.cpu_ratio(lambda each: each.handwritten),
        bar=MOST_BACKLOG_RATIO,
        unit="x",
    )
    yield Verdict(
        name="processor, Avro in relative to JSON in",
        value=1 / comparison.cpu_ratio(lambda each: each.avro),
        bar=1.3,
        unit="x",
    )
    yield Verdict(name="sink, CPU per record", value=comparison.cpu(lambda each: each.sink), bar=10, unit="µs")
    yield Verdict(
        name="Mixpanel's processor relative to Segment's",
        value=comparison.ratio(lambda each: each.mixpanel_processor, lambda each: each.processor),
        bar=MOST_MIXPANEL_PROCESSOR_RATIO,
        unit="x",
    )
    yield Verdict(
        name="Mixpanel's sink relative to Segment's",
        value=comparison.ratio(lambda each: each.mixpanel_sink, lambda each: each.sink),
        bar=MOST_MIXPANEL_SINK_RATIO,
        unit="x",
    )
    yield Verdict(
        name="Mixpanel's requests, share of the limit that is not used",
        value=1 - comparison.fullness(lambda each: each.mixpanel_sink),
        bar=MOST_UNUSED,
        unit="of 1",
    )


def memory_verdicts(memory: Memory) -> Iterator[Verdict]:
    """Compare the processor's memory with its bars."""
    yield Verdict(name="memory, last quarter relative to the second", value=memory.growth, bar=1.05, unit="x")
    yield Verdict(name="memory, peak", value=memory.peak, bar=200, unit="MB")


def kills_verdicts(processor: Killed) -> Iterator[Verdict]:
    """Compare what a kill of the processor repeats with its bar: the worst kill, since a mean would hide it."""
    yield Verdict(
        name=f"processor, records written twice after a kill, maximum of {processor.kills} kills",
        value=processor.most_duplicates_a_kill,
        bar=MOST_DUPLICATES_A_KILL,
        unit="records",
    )


def speed_table(comparison: Comparison) -> Table:
    """Build the table of all contestants; the ratio is the processor's CPU relative to theirs."""
    table = Table("", "CPU µs/message", "messages/s", "processor's CPU relative to it")
    for name, contestant in (
        ("processor (Faust, batch transport)", lambda each: each.processor),
        ("hand-written (aiokafka getmany + send_batch)", lambda each: each.handwritten),
        ("stock Faust (agent + topic.send)", lambda each: each.stock_faust),
        ("processor, Avro in (wire format of a registry)", lambda each: each.avro),
    ):
        table.add_row(
            name,
            f"{comparison.cpu(contestant):.1f}",
            f"{comparison.rate(contestant):,.0f}",
            f"{comparison.cpu_ratio(contestant):.3f}",
        )
    for name, contestant in (
        (f"Segment sink (requests {comparison.fullness(lambda each: each.sink):.1%} full)", lambda each: each.sink),
        ("Mixpanel processor", lambda each: each.mixpanel_processor),
        (
            f"Mixpanel sink (requests {comparison.fullness(lambda each: each.mixpanel_sink):.1%} full)",
            lambda each: each.mixpanel_sink,
        ),
    ):
        table.add_row(name, f"{comparison.cpu(contestant):.1f}", f"{comparison.rate(contestant):,.0f}", "")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def speed_figures(comparison: Comparison) -> dict[str, Any]:
    """Return the figures as the report shows them."""
    return {
        "processor": {
            "cpu_us_per_event": round(comparison.cpu(lambda each: each.processor), 2),
            "events_per_second": round(comparison.rate(lambda each: each.processor)),
            "ratio_to_handwritten": round(comparison.cpu_ratio(lambda each: each.handwritten), 3),
            "avro_in_to_json_in": round(1 / comparison.cpu_ratio(lambda each: each.avro), 3),
            "ratio_to_stock_faust": round(comparison.cpu_ratio(lambda each: each.stock_faust), 4),
        },
        "sink": {
            "cpu_us_per_record": round(comparison.cpu(lambda each: each.sink), 2),
            "records_per_second": round(comparison.rate(lambda each: each.sink)),
            "fullness": round(comparison.fullness(lambda each: each.sink), 4),
        },
        "mixpanel": {
            "processor_us_per_event": round(comparison.cpu(lambda each: each.mixpanel_processor), 2),
            "sink_us_per_record": round(comparison.cpu(lambda each: each.mixpanel_sink), 2),
            "fullness": round(comparison.fullness(lambda each: each.mixpanel_sink), 4),
            "processor_to_segment": round(
                comparison.ratio(lambda each: each.mixpanel_processor, lambda each: each.processor), 3
            ),
            "sink_to_segment": round(comparison.ratio(lambda each: each.mixpanel_sink, lambda each: each.sink), 3),
        },
    }


def memory_figures(memory: Memory) -> dict[str, Any]:
    """Return the figures as the report shows them."""
    return {
        "memory": {
            "events": memory.events,
            "second_quarter_mb": round(memory.quarter(2), 1),
            "last_quarter_mb": round(memory.quarter(4), 1),
            "growth": round(memory.growth, 4),
            "peak_mb": round(memory.peak, 1),
        }
    }


def write_report(figures: Mapping[str, Any]) -> None:
    """Write figures to the report; those of other measurements are kept."""
    REPORT.parent.mkdir(exist_ok=True)
    known = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    REPORT.write_text(json.dumps({**known, **figures}, indent=2) + "\n", encoding="utf-8")
