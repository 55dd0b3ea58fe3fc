"""The memory bound of unpacked batches, for all partitions of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_SECONDS: Final = 1.0
"""A batch that was not read for this long may lose its memory to another one."""
PATIENCE_SECONDS: Final = 5.0
"""After this long without memory a batch is served first: batches that are being read would leave none for it."""
FORGOTTEN_SECONDS: Final = 2.0
"""A batch that has not asked again for this long stops waiting: its partition is full, or was revoked."""


class NoRoomError(Exception):
    """A batch must wait until other batches are read to the end, or are idle."""


class Holder(Protocol):
    """Owns an unpacked batch."""

    def pack_up(self) -> None:
        """Release the unpacked batch. What is left of it is unpacked again when it is read."""


class _Wait(NamedTuple):
    """When a batch started to wait for memory, and when it last asked for it."""

    since: float
    asked_at: float


class UnpackedRoom:
    """Shares a number of bytes among the holders of unpacked batches.

    A single holder gets all of it. A full partition keeps its batch without reading it; so that it does not block
    others, idle batches are packed up when memory is short. A batch that needs nearly all memory is served after
    `PATIENCE_SECONDS`: from then until its turn, no other batch is started.
    """

    def __init__(self, most: int, *, now: Callable[[], float]) -> None:
        """Share `most` bytes; `now` is a monotonic clock in seconds."""
        self.most = most
        self._now = now
        self._taken: dict[Holder, tuple[int, float]] = {}
        self._waits: dict[Holder, _Wait] = {}

    @property
    def taken(self) -> int:
        """How many bytes are in use."""
        return sum(size for size, _ in self._taken.values())

    def take(self, holder: Holder, size: int) -> None:
        """Reserve `size` bytes for a holder, instead of what it has reserved.

        Raises:
            NoRoomError: other holders have reserved too much.
        """
        self._taken.pop(holder, None)
        if (self._waits or self.taken + size > self.most) and not self.fits(holder, size):
            raise NoRoomError
        self._waits.pop(holder, None)
        self._taken[holder] = (size, self._now())

    def fits(self, holder: Holder, size: int) -> bool:
        """Return whether a holder, which has nothing, can have `size` bytes. Packs up idle batches to free them."""
        now = self._now()
        if self._is_turn_of(holder, now):
            self._pack_up_what_is_idle(size, now - IDLE_SECONDS)
            if self.taken + size <= self.most:
                return True
        known = self._waits.get(holder)
        self._waits[holder] = _Wait(now if known is None else known.since, now)
        return False

    def _is_turn_of(self, holder: Holder, now: float) -> bool:
        """Return whether no other holder has waited so long that it goes first."""
        self._waits = {each: wait for each, wait in self._waits.items() if now - wait.asked_at <= FORGOTTEN_SECONDS}
        first = min(self._waits, key=lambda each: self._waits[each].since, default=holder)
        return first is holder or now - self._waits[first].since < PATIENCE_SECONDS

    def _pack_up_what_is_idle(self, size: int, idle_since: float) -> None:
        for holder, (_, read_at) in sorted(self._taken.items(), key=lambda each: each[1][1]):
            if self.taken + size <= self.most or read_at > idle_since:
                break
            holder.pack_up()

    def touch(self, holder: Holder) -> None:
        """Called when messages of a holder's batch are read."""
        if (known := self._taken.get(holder)) is not None:
            self._taken[holder] = (known[0], self._now())

    def give_back(self, holder: Holder) -> None:
        """Free the memory of a holder."""
        self._taken.pop(holder, None)

    def leave(self, holder: Holder) -> None:
        """Free the memory of a holder, and end its wait."""
        self.give_back(holder)
        self._waits.pop(holder, None)
