from __future__ import annotations

from pipeline.stream.hidden import NOTED_SECONDS, HiddenClock, LogEnds


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.hidden = HiddenClock(now=lambda: self.seconds)

    def look(self, *ends: LogEnds) -> dict[int, tuple[int, float]]:
        return {each.partition: (each.messages, each.seconds) for each in self.hidden.look(ends)}


def test_messages_behind_an_open_transaction_are_hidden_for_as_long_as_it_is_the_same() -> None:
    clock = Clock()
    assert clock.look(LogEnds(0, 5, 5), LogEnds(1, 5, 9)) == {0: (0, 0.0), 1: (4, 0.0)}
    clock.seconds += 7
    assert clock.look(LogEnds(0, 5, 6), LogEnds(1, 5, 20)) == {0: (1, 0.0), 1: (15, 7.0)}
    clock.seconds += 7
    assert clock.look(LogEnds(0, 6, 6), LogEnds(1, 6, 20)) == {0: (0, 0.0), 1: (14, 0.0)}, "it has ended, another began"


def test_a_partition_that_was_away_begins_anew() -> None:
    clock = Clock()
    clock.look(LogEnds(0, 5, 9))
    clock.seconds += 7
    assert clock.look() == {}
    assert clock.look(LogEnds(0, 5, 9)) == {0: (4, 0.0)}


def test_an_end_that_a_replica_has_not_heard_of_is_nothing_hidden() -> None:
    assert Clock().look(LogEnds(0, 9, 5)) == {0: (0, 0.0)}


def test_only_a_transaction_that_stays_is_noted_the_oldest_by_name() -> None:
    clock = Clock()
    both = (LogEnds(3, 5, 9), LogEnds(4, 5, 25))
    clock.look(*both)
    clock.seconds += 1
    assert clock.hidden.note([*both, LogEnds(5, 0, 1)]) is None
    clock.seconds += NOTED_SECONDS
    note = clock.hidden.note([LogEnds(3, 6, 9), LogEnds(4, 5, 25)]) or ""
    assert note.startswith("20 messages of partition 4 are hidden by a transaction that has been open for 61 s")
    clock.seconds += NOTED_SECONDS
    assert "of partition 4, and of 1 other partitions" in (
        clock.hidden.note([LogEnds(3, 6, 9), LogEnds(4, 5, 25)]) or ""
    )
