from __future__ import annotations

from tests.bench.rates.figures import Cost, PipelineCost
from tests.bench.scaling.figures import Comparison, Scaling, scaling_table, scaling_verdicts


def compared(many: float) -> Comparison:
    return Comparison(name="2 workers to 1", key="processor_workers", few=[10, 10, 20], many=[many, many, 4 * many])


def scaling(*comparisons: Comparison) -> Scaling:
    cost = PipelineCost(
        processor=Cost(microseconds=40, mean=40),
        sink=Cost(microseconds=20, mean=20),
        p50_ms=500,
        p99_ms=1100,
        broker_cores=None,
        requests={},
    )
    return Scaling(comparisons=comparisons, rate=1_000, by_partitions={1: cost, 64: cost})


def test_the_ratio_is_that_of_the_median_round() -> None:
    assert compared(11).ratio == 1.1


def test_a_tenth_more_is_allowed() -> None:
    assert [each.passed for each in scaling_verdicts(scaling(compared(10.9), compared(11.5)))] == [True, False]


def test_the_report_names_each_comparison_and_each_number_of_partitions() -> None:
    figures = scaling(compared(11)).figures()
    assert figures["backlog"]["processor_workers"] == {"few_us": 10, "many_us": 11, "ratio": 1.1}
    assert figures["partitions"].keys() == {"1", "64"}


def test_the_table_has_a_row_for_each_number_of_partitions() -> None:
    assert scaling_table(scaling()).row_count == 2
