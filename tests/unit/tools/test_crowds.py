from __future__ import annotations

from random import Random

import pytest

from pipeline.tools.what_if.crowds import Crowd, Estimate, People, Reasons
from pipeline.tools.what_if.exact_crowds import ExactPeople
from pipeline.tools.what_if.groups import BITS
from pipeline.tools.what_if.sketched_crowds import Hashes, SketchedPeople, sketched_crowd, sketched_reasons

MONTH = 20_454


def test_hashes_hold_who_was_added_and_nobody_else() -> None:
    hashes = Hashes()
    for number in range(0, 4000, 2):
        hashes.add(b"u-%d" % number)
        hashes.add(b"u-%d" % number)
    assert [number for number in range(4000) if b"u-%d" % number in hashes] == list(range(0, 4000, 2))


def _near(estimate: Estimate, truth: int, whole: int) -> bool:
    """Return whether it is within four standard errors of a sketch of `whole` users: a share of 0.0016 of them."""
    return abs(estimate.value - truth) <= 0.016 * whole


@pytest.mark.slow
def test_sketches_agree_with_exact_counts_within_the_stated_error() -> None:
    random, exact, sketched = Random(6), ExactPeople(), SketchedPeople()
    first, second, reasons = exact.crowd(searchable=False), exact.crowd(searchable=False), exact.reasons()
    others = sketched.crowd(searchable=False), sketched.crowd(searchable=False), sketched.reasons()
    ways: tuple[tuple[People, Crowd, Crowd, Reasons], ...] = (
        (exact, first, second, reasons),
        (sketched, *others),
    )
    for number in range(200_000):
        key = b"user-%d" % number
        day, bit = MONTH + random.randrange(31), random.choice([*BITS.values()])
        for people, crowd, other, why in ways:
            crowd.touch(people.who(key), MONTH, day)
            if number % 3 == 0:
                other.touch(people.who(key), MONTH, day)
            why.touch(people.who(key), MONTH, bit)
            if number % 2:
                why.touch(people.who(key), MONTH, 1)
    assert _near(others[0].size(MONTH), 200_000, 200_000)
    assert not others[0].size(MONTH).is_exact
    assert _near(sketched.only_in(others[0], others[1]), exact.only_in(first, second).value, 200_000)
    truth = dict(first.growth(MONTH))
    assert all(_near(each, truth[day].value, 200_000) for day, each in others[0].growth(MONTH))
    counts = reasons.sizes()
    for bits, estimate in others[2].sizes().items():
        assert _near(estimate, counts[bits].value, 200_000)
    # A converted exact crowd gives the same as a crowd that was estimated from the start.
    assert sketched_crowd(first, searchable=False).size(MONTH) == others[0].size(MONTH)
    assert sketched_reasons(reasons).sizes() == others[2].sizes()


def test_one_that_is_asked_remembers_everyone_when_it_goes_on_with_sketches() -> None:
    people = ExactPeople()
    crowd = people.crowd(searchable=True)
    crowd.touch(people.who(b"u-1"), MONTH, MONTH + 3)
    people.who(b"u-2")
    assert crowd.contains(b"u-1", MONTH)
    sketched = sketched_crowd(crowd, searchable=True)
    sketched.touch("u-3", MONTH, MONTH)
    asked = [(key, sketched.contains(key, MONTH)) for key in (b"u-1", b"u-2", b"u-3")]
    assert asked == [(b"u-1", True), (b"u-2", False), (b"u-3", True)]
    assert not sketched.contains(b"u-1", MONTH + 31)
    assert not sketched_crowd(crowd, searchable=False).contains(b"u-1", MONTH)


def test_nobody_is_in_a_month_of_which_there_is_nothing() -> None:
    for people in (ExactPeople(), SketchedPeople()):
        crowd = people.crowd(searchable=True)
        assert crowd.size(MONTH) == Estimate(0, 0, 0)
        assert list(crowd.growth(MONTH)) == []
        assert not crowd.contains(b"u-1", MONTH)
        assert people.reasons().sizes() == {}
