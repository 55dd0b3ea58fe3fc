from __future__ import annotations

from typing import Any

from tests.chaos.report import compare, faults


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
        "faults": {"503": 2, "SIGKILL processor": 25},
        "affected_requests": {"503": 6},
        "answers": {"200": 1_822, "503": 9},
    }
    assert faults(figures) == (
        "faults: 503 (2, affected 6 requests); SIGKILL processor (25)\nanswers of Segment: 200 (1,822), 503 (9)"
    )
