from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from tests.bench.meter import Measured
from tests.bench.progress import Progress
from tests.bench.rates.bars import rates_verdicts
from tests.bench.rates.cpu import Part, Window, cpu_seconds, watch
from tests.bench.rates.figures import AtRate, BacklogRound, Cost, PipelineCost, Rates, rates_table
from tests.bench.rates.lengths import FULL
from tests.bench.rates.measure import _text, planned_seconds
from tests.bench.runs import RunError
from tests.bench.watching_destination import Watched

MOST_SECONDS = 14 * 60
START_OF_THE_BROKER_SECONDS = 20
FIGURES_OF_A_RATE = {
    "processor_us",
    "sink_us",
    "handwritten_us",
    "handwritten_waiting_us",
    "kafka_streams_us",
    "p50_ms",
    "p99_ms",
    "broker_cores",
    "requests_per_second",
}


def a_cost(microseconds: float) -> Cost:
    return Cost(microseconds=microseconds, mean=microseconds + 1)


def at_rate(
    *, processor: float = 40, sink: float = 20, by_hand: float = 200, waiting: float = 35, p99: float = 1100
) -> AtRate:
    return AtRate(
        pipeline=PipelineCost(
            processor=a_cost(processor),
            sink=a_cost(sink),
            p50_ms=500,
            p99_ms=p99,
            broker_cores=0.2,
            requests={"FetchRequest": 20, "ProduceRequest": 9.5},
        ),
        handwritten=a_cost(by_hand),
        handwritten_waiting=a_cost(waiting),
        kafka_streams=None,
    )


def backlog(processor_us: float, handwritten_us: float) -> BacklogRound:
    processor, handwritten = (
        Measured(messages=1_000_000, cpu_seconds=each, wall_seconds=each) for each in (processor_us, handwritten_us)
    )
    return BacklogRound(processor=processor, handwritten=handwritten)


def rates(by_rate: dict[int, AtRate] | None = None, *, handwritten_us: float = 10) -> Rates:
    return Rates(
        by_rate={1_000: at_rate()} if by_rate is None else by_rate,
        backlog=[backlog(handwritten_us * 1.05, handwritten_us)] * 3,
        idle_percent={"processor": 0.4, "segment-sink": 0.3},
        p99_short_flush_ms=200,
    )


def missed(found: Rates) -> list[str]:
    return [verdict.name for verdict in rates_verdicts(found) if not verdict.passed]


def test_a_burst_in_one_part_does_not_change_what_a_window_says() -> None:
    parts = [Part(seconds=5, cpu={"a": seconds}) for seconds in (0.2, 0.2, 2.0, 0.2, 0.2)]
    window = Window(began=0, ended=25, parts=parts)
    assert window.microseconds("a", 1_000) == pytest.approx(40)
    assert window.mean_microseconds("a", 1_000) == pytest.approx(112)


def test_the_cpu_clock_of_a_process_counts_what_it_computes() -> None:
    before, own = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.05:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(time.process_time() - own, abs=0.02)


def test_a_contestant_that_ends_in_its_window_is_a_failure() -> None:
    def gone(_process_id: int) -> float:
        raise ProcessLookupError

    with pytest.raises(RunError, match="ended in the middle"):
        watch({"a": 1}, warm=0, parts=1, part_seconds=0, read=gone)


def test_a_window_has_the_difference_of_each_part() -> None:
    readings = iter([1.0, 1.5, 2.5])
    window = watch({"a": 1}, warm=0, parts=2, part_seconds=0, read=lambda _: next(readings))
    assert [part.cpu["a"] for part in window.parts] == [0.5, 1.0]


def test_the_report_has_the_figures_of_each_rate_and_those_of_the_run() -> None:
    figures = rates().figures()
    assert figures["1000"].keys() >= FIGURES_OF_A_RATE
    assert figures["1000"]["kafka_streams_us"] is None
    assert figures["1000"]["requests_per_second"] == 29.5
    assert figures.keys() >= {"handwritten_backlog_us", "scale", "idle_percent", "p99_short_flush_ms"}
    assert figures["idle_percent"] == 0.4


def test_what_a_contestant_repeated_without_a_kill_is_printed_and_reported() -> None:
    found = at_rate()
    repeating = replace(
        found,
        pipeline=replace(found.pipeline, repeated=3),
        kafka_streams=Cost(microseconds=60, mean=60, repeated=1_200),
    )
    assert found.figures()["repeated_records"] == {}
    assert "repeated" not in _text(1_000, found)
    assert repeating.figures()["repeated_records"] == {"processor and sink": 3, "Kafka Streams": 1_200}
    assert _text(1_000, repeating).endswith(
        "records repeated without a kill: processor and sink 3, Kafka Streams 1,200"
    )


def test_the_destination_tells_ids_that_came_again_from_those_that_did_not() -> None:
    watched = Watched()
    record = b'{"type":"track","event":"Push Sent","messageId":"%s","timestamp":"2026-01-01T00:00:00.000Z"}'
    watched.answered(b",".join([record % b"a", record % b"b"]))
    watched.answered(b",".join([record % b"b", record % b"c"]))
    report = watched.report()
    assert (report["ids"], report["repeated"], len(report["times"])) == (3, 1, 4)


def test_a_repeated_record_at_the_destination_does_not_make_up_for_a_missing_one() -> None:
    watched = Watched()
    watched.answered(b'{"type":"track","event":"e","messageId":"a"},{"type":"track","event":"e","messageId":"a"}')
    assert watched.report()["ids"] == 1


@pytest.mark.parametrize(("handwritten_us", "scale"), [(6, 1.0), (10, 1.0), (27, 2.7)])
def test_scale_is_that_of_the_backlog_and_at_least_one(handwritten_us: float, scale: float) -> None:
    assert rates(handwritten_us=handwritten_us).scale == pytest.approx(scale)


def test_all_bars_can_be_met() -> None:
    assert not missed(rates({1_000: at_rate(), 10_000: at_rate(processor=14, sink=10, waiting=13)}))


def test_every_bar_can_be_missed() -> None:
    slow = {1_000: at_rate(processor=90, sink=50, p99=1300), 10_000: at_rate(processor=90, sink=50, p99=1300)}
    found = Rates(
        by_rate=slow,
        backlog=[backlog(12, 10)],
        idle_percent={"processor": 0.8, "segment-sink": 0.9},
        p99_short_flush_ms=260,
    )
    assert len(missed(found)) == len(list(rates_verdicts(found))) == 13


def test_absolute_bars_grow_with_the_scale_and_ratios_do_not() -> None:
    slow = at_rate(processor=90, sink=50, by_hand=300, waiting=60)
    assert missed(rates({1_000: slow}, handwritten_us=20)) == [
        "1,000/s: processor relative to hand-written with waiting"
    ]


def test_the_table_has_a_row_for_each_rate() -> None:
    assert rates_table(rates({100: at_rate(), 1_000: at_rate()})).row_count == 2


def test_a_full_run_is_planned_to_end_in_time() -> None:
    assert planned_seconds(FULL, with_streams=True) + START_OF_THE_BROKER_SECONDS < MOST_SECONDS


def test_progress_estimates_the_rest_by_the_pace_so_far() -> None:
    messages: list[str] = []
    now = [0.0]
    progress = Progress([("a", 10), ("b", 20)], messages.append, lambda: now[0])
    progress.begin("a")
    now[0] = 20.0
    progress.begin("b")
    assert messages == ["[1/2] a; about 0:30 min left", "[2/2] b; about 0:40 min left"]


def test_a_step_out_of_order_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="the next step is a"):
        Progress([("a", 1), ("b", 1)], print).begin("b")
