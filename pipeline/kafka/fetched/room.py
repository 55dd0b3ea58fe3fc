"""How much memory unpacked batches take, over all partitions of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_SECONDS: Final = 1.0
"""A batch that nothing was read of for so long gives its memory to another one."""
PATIENCE_SECONDS: Final = 5.0
"""After this long without memory a batch is the next that gets any: those that are read on would leave it none."""
FORGOTTEN_SECONDS: Final = 2.0
"""What has not asked again for so long waits no longer: its partition is full, or was given up."""


class NoRoomError(Exception):
    """A batch must wait until others are read to their end, or are idle."""


class Holder(Protocol):
    """What keeps an unpacked batch."""

    def pack_up(self) -> None:
        """Let the unpacked batch go; what is left of it is unpacked again when it is read."""


class _Wait(NamedTuple):
    """Since when a batch has waited for memory, and when it asked for it last."""

    since: float
    asked_at: float


class UnpackedRoom:
    """Shares a number of bytes among those that unpack batches.

    Whatever is alone gets all of it. A partition that is full keeps its batch without reading it; so that it stops no
    other, what is idle is packed up where room is missing. One that needs nearly all of it gets its turn after a while:
    until then no other batch is begun.
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
        """Let a holder have so many bytes, in place of what it has.

        Raises:
            NoRoomError: others have too much of them.
        """
        self._taken.pop(holder, None)
        if (self._waits or self.taken + size > self.most) and not self.fits(holder, size):
            raise NoRoomError
        self._waits.pop(holder, None)
        self._taken[holder] = (size, self._now())

    def fits(self, holder: Holder, size: int) -> bool:
        """Return whether a holder, which has nothing, can have so many bytes; what is idle is packed up for them."""
        now = self._now()
        if self._is_turn_of(holder, now):
            self._pack_up_what_is_idle(size, now - IDLE_SECONDS)
            if self.taken + size <= self.most:
                return True
        known = self._waits.get(holder)
        self._waits[holder] = _Wait(now if known is None else known.since, now)
        return False

    def _is_turn_of(self, holder: Holder, now: float) -> bool:
        """Return whether nothing else has waited for so long that it goes first."""
        self._waits = {each: wait for each, wait in self._waits.items() if now - wait.asked_at <= FORGOTTEN_SECONDS}
        first = min(self._waits, key=lambda each: self._waits[each].since, default=holder)
        return first is holder or now - self._waits[first].since < PATIENCE_SECONDS

    def _pack_up_what_is_idle(self, size: int, idle_since: float) -> None:
        for holder, (_, read_at) in sorted(self._taken.items(), key=lambda each: each[1][1]):
            if self.taken + size <= self.most or read_at > idle_since:
                break
            holder.pack_up()

    def touch(self, holder: Holder) -> None:
        """Called when something of a holder's batch is read."""
        if (known := self._taken.get(holder)) is not None:
            self._taken[holder] = (known[0], self._now())

    def give_back(self, holder: Holder) -> None:
        """Free what a holder has."""
        self._taken.pop(holder, None)

    def leave(self, holder: Holder) -> None:
        """Free what a holder has; it waits for nothing any more."""
        self.give_back(holder)
        self._waits.pop(holder, None)
