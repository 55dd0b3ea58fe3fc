from __future__ import annotations

from tests.bench.metrics_cost import costs

MOST_MICROSECONDS = 1.0


def test_all_metrics_together_cost_at_most_a_microsecond_an_event() -> None:
    assert {name: cost for name, cost in costs().items() if cost > MOST_MICROSECONDS} == {}
