from __future__ import annotations

import random

import pytest

from pipeline.state.sketches import DELIVERY, MOST_SKETCHES, SHADOW, Sketches
from pipeline.state.user_sketch import KEPT, UserSketch

OCTOBER, NOVEMBER, DECEMBER = 20_727, 20_758, 20_788


@pytest.mark.parametrize("count", [2 * KEPT + 1, 20_000, 100_000])
def test_a_large_sketch_is_off_by_a_few_percent_however_users_are_added(count: int) -> None:
    chance = random.Random(count)
    users = [chance.getrandbits(64) for _ in range(count)]
    one_by_one, merged = UserSketch(), UserSketch(users[count // 2 :])
    for user in users:
        one_by_one.add(user)
    merged.merge(UserSketch(users[: count // 2]))
    for found in (one_by_one, merged):
        assert found.estimate() == pytest.approx(count, rel=0.07), "three standard errors of 2.2 %"
        assert found.estimate(lambda user: user % 4 == 0) == pytest.approx(count / 4, rel=0.15)
        assert len(found.dump()) <= 2 * KEPT * 8
        assert not any(found.add(user) for user in users[:1_000]), "nobody is counted twice"


def test_a_user_above_the_bound_changes_nothing() -> None:
    sketch = UserSketch([1, 2], bound=100)
    assert [sketch.add(user) for user in (1, 99, 100, 2**64 - 1)] == [False, True, False, False]


def sketches(month: int = NOVEMBER) -> Sketches:
    found = Sketches()
    found.advance(month)
    return found


def test_a_sketch_counts_the_users_of_its_name_and_month() -> None:
    found = sketches()
    for name, month, user in [(DELIVERY, NOVEMBER, 1), (DELIVERY, NOVEMBER, 2), (DELIVERY, OCTOBER, 1)]:
        found.add(name, month, user)
    found.add(SHADOW + "night", NOVEMBER, 1)
    assert found.names(NOVEMBER) == [DELIVERY, SHADOW + "night"]
    assert found.names(DECEMBER) == []
    assert found.estimate(DELIVERY, NOVEMBER) == 2
    assert found.estimate(DELIVERY, OCTOBER) == 1
    assert found.estimate(DELIVERY, NOVEMBER, lambda user: user > 1) == 1
    assert found.estimate(DELIVERY, DECEMBER) == found.estimate("other", NOVEMBER) == 0


def test_what_changed_is_told_once() -> None:
    found = sketches()
    found.add(DELIVERY, NOVEMBER, 1)
    found.merge(SHADOW + "read back", NOVEMBER, UserSketch([7]))
    assert [(name, month) for name, month, _ in found.changed()] == [(DELIVERY, NOVEMBER)]
    found.add(DELIVERY, NOVEMBER, 1)
    assert found.changed() == []


def test_a_month_that_has_not_begun_is_not_counted() -> None:
    found = sketches(OCTOBER)
    found.add(DELIVERY, NOVEMBER, 1)
    found.add(DELIVERY, -1, 1)
    found.merge(DELIVERY, NOVEMBER, UserSketch([7]))
    assert found.names(NOVEMBER) == []


def test_the_month_before_the_last_is_forgotten_and_not_begun_again() -> None:
    found = sketches(OCTOBER)
    found.add(DELIVERY, OCTOBER, 1)
    for month in (NOVEMBER, DECEMBER):
        found.advance(month)
        found.add(DELIVERY, month, 1)
    found.advance(DECEMBER)
    assert [found.estimate(DELIVERY, month) for month in (OCTOBER, NOVEMBER, DECEMBER)] == [0, 1, 1]
    found.add(DELIVERY, OCTOBER, 1)
    assert found.estimate(DELIVERY, OCTOBER) == 0
    assert [month for _, month, _ in found.changed()] == [NOVEMBER, DECEMBER], "what is forgotten is not written"


def test_more_shadow_rules_than_can_be_kept_are_not_counted() -> None:
    found = sketches()
    for number in range(MOST_SKETCHES + 5):
        found.add(f"{SHADOW}{number}", NOVEMBER, 1)
    assert len(found.names(NOVEMBER)) == MOST_SKETCHES
    found.add(DELIVERY, NOVEMBER, 1)
    assert found.estimate(DELIVERY, NOVEMBER) == 1, "what is no shadow is counted all the same"
