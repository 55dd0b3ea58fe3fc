from __future__ import annotations

import pytest

from pipeline.stream.fetch_waits import BROKERS_SHARE, SHORTEST_SECONDS, FetchWaits

COLLECT = 0.1
SHARE = COLLECT * BROKERS_SHARE


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waits(clock: Clock) -> FetchWaits:
    return FetchWaits(COLLECT, now=clock)


def brought(waits: FetchWaits, *brokers: int) -> None:
    """Return waits with brokers whose last answers had messages."""
    for broker in brokers:
        waits.asks(broker, behind=False)
        waits.answered(broker, brought=True)
    waits.take_waited()


def test_the_first_message_after_silence_is_answered_at_once_and_the_next_are_collected(waits: FetchWaits) -> None:
    assert waits.asks(1, behind=False) is None
    waits.answered(1, brought=True)
    assert waits.asks(1, behind=False) == pytest.approx(COLLECT)
    waits.answered(1, brought=False)
    assert waits.asks(1, behind=False) is None


def test_a_backlog_never_waits(waits: FetchWaits) -> None:
    brought(waits, 1)
    assert waits.asks(1, behind=True) is None


def test_without_a_wait_nothing_is_collected(clock: Clock) -> None:
    waits = FetchWaits(0.0, now=clock)
    brought(waits, 1)
    assert waits.asks(1, behind=False) is None
    assert waits.seconds_left() == 0


def test_other_partitions_begin_anew(waits: FetchWaits) -> None:
    brought(waits, 1)
    waits.asks(1, behind=False)
    waits.forget()
    waits.answered(1, brought=False)
    assert waits.asks(1, behind=False) is None


def test_other_partitions_have_their_own_round(waits: FetchWaits, clock: Clock) -> None:
    brought(waits, 1, 2)
    waits.asks(1, behind=False)
    clock.now += SHARE
    waits.answered(1, brought=True)
    waits.asks(2, behind=True)
    waits.answered(2, brought=True)
    waits.forget()
    assert waits.take_waited() == 0
    brought(waits, 1, 2)
    assert [waits.asks(broker, behind=False) for broker in (1, 2)] == [pytest.approx(SHARE)] * 2
    clock.now += SHARE
    waits.answered(1, brought=True)
    assert waits.seconds_left() > 0, "the hurry was of the round before"


def test_the_answers_of_several_brokers_within_the_wait_make_one_round(waits: FetchWaits, clock: Clock) -> None:
    brought(waits, 1, 2, 3)
    assert [waits.asks(broker, behind=False) for broker in (1, 2, 3)] == [pytest.approx(SHARE)] * 3
    clock.now += SHARE
    waits.answered(1, brought=True)
    assert waits.seconds_left() == pytest.approx(COLLECT - SHARE)
    clock.now += 0.004
    waits.answered(3, brought=True)
    assert waits.seconds_left() == pytest.approx(COLLECT - SHARE - 0.004)
    waits.answered(2, brought=False)
    assert waits.seconds_left() == 0
    assert waits.take_waited() == pytest.approx(SHARE + 0.004)
    assert waits.take_waited() == 0


def test_a_broker_that_does_not_answer_makes_nobody_wait_longer_than_the_setting(
    waits: FetchWaits, clock: Clock
) -> None:
    brought(waits, 1, 2)
    for broker in (1, 2):
        waits.asks(broker, behind=False)
    clock.now += SHARE
    waits.answered(1, brought=True)
    clock.now += waits.seconds_left()
    assert clock.now - 1_000 == pytest.approx(COLLECT)
    assert waits.seconds_left() == pytest.approx(0, abs=1e-9)


def test_brokers_that_are_asked_one_after_the_other_answer_together_from_then_on(
    waits: FetchWaits, clock: Clock
) -> None:
    brought(waits, 1, 2)
    waits.asks(1, behind=False)
    clock.now += 0.03
    assert waits.asks(2, behind=False) == pytest.approx(SHARE - 0.03)
    waits.answered(1, brought=True)
    waits.answered(2, brought=True)
    clock.now += SHARE - 0.03 - SHORTEST_SECONDS / 2
    waits.asks(1, behind=False)
    assert waits.asks(2, behind=False) == pytest.approx(SHARE), "too little is left of the wait before"


def test_what_comes_before_the_wait_is_over_is_handed_on_at_once(waits: FetchWaits, clock: Clock) -> None:
    brought(waits, 1, 2)
    for broker in (1, 2):
        waits.asks(broker, behind=False)
    clock.now += SHARE / 2
    waits.answered(1, brought=True)
    assert waits.seconds_left() == 0


@pytest.mark.parametrize("behind", [True, False])
def test_a_backlog_and_what_comes_first_after_silence_wait_for_no_other_broker(
    waits: FetchWaits, clock: Clock, *, behind: bool
) -> None:
    brought(waits, 2)
    if behind:
        brought(waits, 1)
    assert waits.asks(2, behind=False) == pytest.approx(SHARE if behind else COLLECT)
    clock.now += SHARE
    waits.asks(1, behind=behind)
    waits.answered(1, brought=True)
    assert waits.seconds_left() == 0
    waits.take_waited()
    clock.now = 1_000 + (SHARE if behind else COLLECT)
    assert waits.seconds_left() > 0, "another round"


def test_one_broker_has_the_whole_wait_and_its_answer_waits_for_nobody(waits: FetchWaits, clock: Clock) -> None:
    brought(waits, 1)
    assert waits.asks(1, behind=False) == pytest.approx(COLLECT)
    clock.now += COLLECT
    waits.answered(1, brought=True)
    assert waits.seconds_left() == 0
    assert waits.take_waited() == pytest.approx(COLLECT)
