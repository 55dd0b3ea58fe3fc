from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.report import compare, faults, total_of


def test_the_comparison_is_added_to_the_figures() -> None:
    figures: dict[str, Any] = {"lost": 0, "broken": []}
    compare(figures, lambda: {"stock_faust": {"duplicates_per_kill": 3_102.0}})
    beside = {"stock_faust": {"duplicates_per_kill": 3_102.0}}
    assert figures == {"lost": 0, "broken": [], "kills_beside_stock_faust": beside}


def test_a_comparison_that_fails_is_reported_and_keeps_the_figures() -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError("ended with 1 before its work was done")

    figures: dict[str, Any] = {"lost": 0, "broken": []}
    compare(figures, fail)
    assert figures["lost"] == 0
    (finding,) = figures["broken"]
    assert finding["evidence"] == ["RuntimeError('ended with 1 before its work was done')"]


def test_the_summary_names_every_fault_and_every_answer() -> None:
    figures = {
        "faults": {"Segment: 503": 2, "SIGKILL processor": 25},
        "destinations": {"segment": {"affected_requests": {"503": 6}, "answers": {"200": 1_822, "503": 9}}},
    }
    assert faults(figures) == (
        "faults: Segment: 503 (2); SIGKILL processor (25)\n"
        "requests to segment that a fault affected: 503 (6)\n"
        "answers of segment: 200 (1,822), 503 (9)"
    )


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1, 2], 3),
        ([False, True], True),
        ([False, False], False),
        ([{"a": 1, "b": 2}, {"b": 3, "c": 4}], {"a": 1, "b": 5, "c": 4}),
    ],
)
def test_the_figures_of_the_destinations_add_up(values: list[Any], total: object) -> None:
    assert total_of(values) == total
