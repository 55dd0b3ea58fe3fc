from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.stream.lag import LagClock, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE_MS = 60_000


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.lag = LagClock(now=lambda: self.seconds)

    def look(self, waiting: Iterable[Waiting]) -> dict[int, tuple[int, float]]:
        return {lag.partition: (lag.messages, lag.seconds) for lag in self.lag.look(waiting)}


def test_the_lag_is_as_old_as_the_oldest_message_in_hand() -> None:
    clock = Clock()
    assert clock.look([Waiting(0, 5, 15 * MINUTE_MS), Waiting(1, 0, None)]) == {0: (5, 100.0), 1: (0, 0.0)}


def test_where_nothing_is_in_hand_it_is_as_old_as_the_waiting_at_least() -> None:
    clock = Clock()
    clock.look([Waiting(0, 0, None)])
    clock.seconds += 7
    assert clock.look([Waiting(0, 3, None)]) == {0: (3, 7.0)}
    clock.seconds += 3
    assert clock.look([Waiting(0, 3, -1)]) == {0: (3, 10.0)}, "a message without a timestamp tells nothing"


def test_a_partition_that_was_away_begins_anew() -> None:
    clock = Clock()
    clock.look([Waiting(0, 3, None)])
    clock.seconds += 60
    clock.look([])
    assert clock.look([Waiting(0, 3, None)]) == {0: (3, 0.0)}


def test_a_timestamp_to_come_is_no_negative_lag() -> None:
    assert Clock().look([Waiting(0, 1, 2_000_000)]) == {0: (1, 0.0)}
