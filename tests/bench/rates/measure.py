"""The whole run: rounds of a backlog around the rates, and at each rate one contestant after another.

The two whose ratio has a bar run right after each other, and the rounds of the backlog, which give `scale`, are spread
over the run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.kafka_streams.program import compile_program, missing_programs
from tests.bench.progress import Progress
from tests.bench.rates import lengths as expected
from tests.bench.rates.backlog import backlog_rounds
from tests.bench.rates.bars import SHORT_FLUSH_SECONDS
from tests.bench.rates.contestants import measure_by_hand, measure_idle, measure_kafka_streams, measure_pipeline
from tests.bench.rates.figures import AtRate, PipelineCost, Rates, repeated_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.cluster import Cluster
    from tests.bench.kafka_streams.program import StreamsProgram
    from tests.bench.rates.lengths import Lengths

SHORT_FLUSH_RATE: Final = 1_000
_BACKLOG: Final = "backlog: hand-written and processor"
_SHORT_FLUSH: Final = f"{SHORT_FLUSH_RATE:,}/s: flush interval {SHORT_FLUSH_SECONDS:g} s"
_IDLE: Final = "idle"


def measure_rates(cluster: Cluster, lengths: Lengths, *, tell: Callable[[str], None]) -> Rates:
    """Measure everything.

    Raises:
        RunError: a contestant failed, or an event is missing.
    """
    with (
        tempfile.TemporaryDirectory(prefix="onesignal-pipeline-streams-") as folder,
        backlog_rounds(cluster, lengths.backlog_events) as run_backlog,
    ):
        program = compile_program(Path(folder))
        if program is None:
            tell(f"without Kafka Streams: not installed: {', '.join(missing_programs())}")
        progress = Progress(list(_steps(lengths, with_streams=program is not None)), tell)
        tell(f"expected time: {progress.expected_seconds / 60:.0f} minutes")
        progress.begin(_BACKLOG)
        rounds, by_rate = [run_backlog()], {}
        for rate in lengths.rates:
            by_rate[rate] = _at_rate(cluster, rate, lengths, program, progress)
            tell(_text(rate, by_rate[rate]))
            progress.begin(_BACKLOG)
            rounds.append(run_backlog())
        progress.begin(_SHORT_FLUSH)
        short = _short_flush(cluster, lengths)
        if short.repeated:
            tell(f"{_SHORT_FLUSH}: {repeated_text({'processor and sink': short.repeated})}")
        progress.begin(_IDLE)
        return Rates(
            by_rate=by_rate,
            backlog=rounds,
            idle_percent=measure_idle(cluster, lengths),
            p99_short_flush_ms=short.p99_ms,
        )


def planned_seconds(lengths: Lengths, *, with_streams: bool) -> float:
    """Return how long the measurement takes on a machine with two cores, without the start of a broker."""
    return sum(seconds for _, seconds in _steps(lengths, with_streams=with_streams))


def _steps(lengths: Lengths, *, with_streams: bool) -> Iterator[tuple[str, float]]:
    yield _BACKLOG, expected.BACKLOG_ROUND
    for rate in lengths.rates:
        for name in _contestants(with_streams=with_streams):
            yield f"{rate:,}/s: {name}", lengths.window + _around(name, rate, lengths)
        yield _BACKLOG, expected.BACKLOG_ROUND
    yield _SHORT_FLUSH, lengths.window + expected.AROUND_PIPELINE
    yield _IDLE, lengths.idle_window + expected.AROUND_IDLE


def _around(name: str, rate: int, lengths: Lengths) -> float:
    """Return the seconds around a window; the records of all contestants but the pipeline are read at the end."""
    if name == "processor and sink":
        return expected.AROUND_PIPELINE
    return expected.AROUND_CONTESTANT + rate * lengths.window * expected.READING_A_RECORD


def _contestants(*, with_streams: bool) -> tuple[str, ...]:
    streams = ("Kafka Streams",) if with_streams else ()
    return (*streams, "hand-written", "hand-written, waiting", "processor and sink")


def _at_rate(
    cluster: Cluster, rate: int, lengths: Lengths, program: StreamsProgram | None, progress: Progress
) -> AtRate:
    streams = None
    if program is not None:
        progress.begin(f"{rate:,}/s: Kafka Streams")
        streams = measure_kafka_streams(cluster, rate, lengths, program)
    progress.begin(f"{rate:,}/s: hand-written")
    handwritten = measure_by_hand(cluster, rate, lengths, waiting=False)
    progress.begin(f"{rate:,}/s: hand-written, waiting")
    waiting = measure_by_hand(cluster, rate, lengths, waiting=True)
    progress.begin(f"{rate:,}/s: processor and sink")
    pipeline = measure_pipeline(
        cluster, rate, warm=lengths.warm, parts=lengths.parts, part_seconds=lengths.part_seconds
    )
    return AtRate(pipeline=pipeline, handwritten=handwritten, handwritten_waiting=waiting, kafka_streams=streams)


def _short_flush(cluster: Cluster, lengths: Lengths) -> PipelineCost:
    return measure_pipeline(
        cluster,
        SHORT_FLUSH_RATE,
        warm=lengths.warm,
        parts=lengths.parts,
        part_seconds=lengths.part_seconds,
        settings={"PIPELINE_SEGMENT_FLUSH_INTERVAL_SECONDS": f"{SHORT_FLUSH_SECONDS:g}"},
    )


def _text(rate: int, found: AtRate) -> str:
    pipeline, streams = found.pipeline, found.kafka_streams
    requests = (f"{kind} {count:.1f}" for kind, count in sorted(pipeline.requests.items()) if count >= 1)
    repeated = f"; {repeated_text(found.repeated())}" if found.repeated() else ""
    return (
        f"{rate:,} events/s: processor {pipeline.processor.microseconds:.0f} µs, "
        f"sink {pipeline.sink.microseconds:.0f} µs, hand-written {found.handwritten.microseconds:.0f} µs, "
        f"waiting {found.handwritten_waiting.microseconds:.0f} µs, "
        f"Kafka Streams {'-' if streams is None else round(streams.microseconds)} µs; "
        f"p99 {pipeline.p99_ms:.0f} ms; requests/s: {', '.join(requests)}{repeated}"
    )
