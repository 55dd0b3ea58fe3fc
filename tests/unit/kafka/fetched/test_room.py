from __future__ import annotations

import pytest

from pipeline.kafka.fetched.room import (
    FORGOTTEN_SECONDS,
    IDLE_SECONDS,
    PATIENCE_SECONDS,
    NoRoomError,
    UnpackedRoom,
)


class FakeHolder:
    def __init__(self, room: UnpackedRoom) -> None:
        self._room = room
        self.packed_up = 0

    def pack_up(self) -> None:
        self.packed_up += 1
        self._room.give_back(self)


class FakeClock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_single_holder_gets_everything_and_what_is_given_back_is_free() -> None:
    room = UnpackedRoom(100, now=FakeClock())
    one, other = FakeHolder(room), FakeHolder(room)
    room.take(one, 100)
    with pytest.raises(NoRoomError):
        room.take(other, 1)
    room.give_back(one)
    room.give_back(one)
    room.take(other, 100)
    assert room.taken == 100


def test_a_holder_that_takes_again_exchanges_what_it_has() -> None:
    room = UnpackedRoom(100, now=FakeClock())
    one = FakeHolder(room)
    room.take(one, 80)
    room.take(one, 30)
    assert (room.taken, one.packed_up) == (30, 0)


def test_what_nobody_reads_makes_room_for_others_the_longest_idle_first_and_no_more_than_needed() -> None:
    clock = FakeClock()
    room = UnpackedRoom(100, now=clock)
    oldest, older, newer, wanting = (FakeHolder(room) for _ in range(4))
    room.take(older, 40)
    room.take(oldest, 40)
    clock.seconds = 0.5
    room.touch(older)
    room.touch(wanting)
    clock.seconds = IDLE_SECONDS + 0.1
    room.take(newer, 20)
    assert (oldest.packed_up, older.packed_up) == (0, 0)
    assert not room.fits(wanting, 81)
    assert room.fits(wanting, 30)
    assert (oldest.packed_up, older.packed_up, newer.packed_up) == (1, 0, 0)
    room.take(wanting, 30)
    with pytest.raises(NoRoomError):
        room.take(FakeHolder(room), 30)
    clock.seconds += IDLE_SECONDS
    room.take(FakeHolder(room), 100)
    assert (older.packed_up, newer.packed_up, wanting.packed_up) == (1, 1, 1)


class Readers:
    """Two holders that read small batches without a pause, and one that needs all the memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.room = UnpackedRoom(100, now=self.clock)
        self.small, self.large = [FakeHolder(self.room) for _ in range(2)], FakeHolder(self.room)
        self.turn = 0
        for each in self.small:
            self.room.take(each, 10)

    def read_on(self, *, large_asks: bool) -> bool:
        """Let one of the two start another batch, and both read; return whether the large one got its memory."""
        self.clock.seconds += 0.5
        self.turn += 1
        self.room.give_back(self.small[self.turn % 2])
        for each in self.small:
            self.room.touch(each)
        is_in = large_asks and self.room.fits(self.large, 100)
        if not is_in and self.room.fits(self.small[self.turn % 2], 10):
            self.room.take(self.small[self.turn % 2], 10)
        return is_in


def test_a_batch_that_needs_everything_gets_its_turn_although_others_are_always_read() -> None:
    readers = Readers()
    turns = 0
    while not readers.read_on(large_asks=True):
        turns += 1
        assert turns < 100
    assert PATIENCE_SECONDS / 0.5 <= turns <= PATIENCE_SECONDS / 0.5 + 3
    readers.room.take(readers.large, 100)
    readers.room.leave(readers.large)
    assert not readers.read_on(large_asks=False)
    assert readers.room.taken > 0, "the others go on"


def test_what_asks_no_more_or_has_left_is_not_waited_for() -> None:
    readers = Readers()
    for _ in range(4):
        readers.read_on(large_asks=True)
    for _ in range(round(2 * (PATIENCE_SECONDS + FORGOTTEN_SECONDS))):
        readers.read_on(large_asks=False)
        assert readers.room.taken == 20
    for _ in range(round(2 * PATIENCE_SECONDS) + 3):
        readers.read_on(large_asks=True)
    assert not readers.room.fits(readers.small[0], 10)
    readers.room.leave(readers.large)
    assert readers.room.fits(readers.small[0], 10)
