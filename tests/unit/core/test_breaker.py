from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.breaker import ALWAYS_ALLOWED, Breaker, BreakerLimits


def breaker(max_share: float = 0.05, window: int = 2_000) -> Breaker:
    return Breaker(BreakerLimits(max_share=max_share, window=window))


@pytest.mark.parametrize("limits", [{"max_share": -0.1}, {"max_share": 1.1}, {"window": 0}])
def test_limits_out_of_range_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the share is from 0 to 1"):
        BreakerLimits(**limits)


def test_a_bad_record_in_a_quiet_hour_holds_nothing() -> None:
    made = breaker()
    assert made.allows(records=1, bad=1)


def test_of_records_that_are_all_bad_only_a_few_become_dead_letters() -> None:
    made = breaker()
    assert [made.admit(records=1, bad=1) for _ in range(ALWAYS_ALLOWED + 1)] == [True] * ALWAYS_ALLOWED + [False]


def test_after_a_good_time_the_share_of_the_window_is_the_bound() -> None:
    made = breaker()
    for _ in range(20):
        made.note(records=100, bad=0)
    admitted = 0
    while made.admit(records=1, bad=1):
        admitted += 1
    assert admitted == 100


def test_a_batch_is_judged_as_a_whole() -> None:
    made = breaker()
    assert made.allows(records=1_000, bad=50)
    assert not made.allows(records=1_000, bad=51)


def test_a_batch_of_more_than_a_window_is_judged_alone() -> None:
    made = breaker()
    made.note(records=2_000, bad=90)
    assert made.allows(records=4_000, bad=200)
    assert not made.allows(records=4_000, bad=201)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    made = breaker(window=100)
    made.note(records=100, bad=5)
    assert not made.allows(records=50, bad=6)
    made.note(records=60, bad=0)
    made.note(records=60, bad=0)
    assert made.allows(records=40, bad=10)


def test_what_is_refused_is_not_remembered() -> None:
    made = breaker(window=100)
    assert not made.admit(records=100, bad=50)
    assert made.admit(records=100, bad=5)


def test_without_bad_records_there_is_nothing_to_refuse() -> None:
    made = breaker(max_share=0.0, window=100)
    made.note(records=100, bad=50)
    assert made.allows(records=1, bad=0)


def test_a_share_of_one_never_holds() -> None:
    made = breaker(max_share=1.0, window=10)
    assert all(made.admit(records=7, bad=7) for _ in range(100))


def test_the_share_is_that_of_the_window() -> None:
    breaker = Breaker(BreakerLimits(max_share=0.5, window=100))
    assert breaker.share == 0.0
    breaker.note(records=40, bad=10)
    breaker.note(records=60, bad=0)
    assert breaker.share == 0.1
    breaker.note(records=60, bad=0)
    assert breaker.share == 0.0
