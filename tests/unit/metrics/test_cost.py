from __future__ import annotations

from tests.bench.metrics_cost import costs

MOST_PARSES = 1.0
"""A ratio of two functions measured in turns: what slows one down slows the other."""


def test_all_metrics_together_cost_less_than_to_parse_a_record_once_more() -> None:
    assert {name: cost for name, cost in costs().items() if cost.parses > MOST_PARSES} == {}
