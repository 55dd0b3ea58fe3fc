from __future__ import annotations

import pytest

from pipeline.kafka.fetched.room import IDLE_SECONDS, NoRoomError, UnpackedRoom


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


def test_whoever_is_alone_gets_everything_and_what_is_given_back_is_free() -> None:
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
    assert not room.fits(81)
    assert room.fits(30)
    assert (oldest.packed_up, older.packed_up, newer.packed_up) == (1, 0, 0)
    room.take(wanting, 30)
    with pytest.raises(NoRoomError):
        room.take(FakeHolder(room), 30)
    clock.seconds += IDLE_SECONDS
    room.take(FakeHolder(room), 100)
    assert (older.packed_up, newer.packed_up, wanting.packed_up) == (1, 1, 1)
