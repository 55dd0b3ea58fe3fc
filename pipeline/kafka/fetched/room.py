"""How much memory unpacked batches take, over all partitions of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_SECONDS: Final = 1.0
"""A batch that nothing was read of for so long gives its memory to another one."""


class NoRoomError(Exception):
    """A batch must wait until others are read to their end, or are idle."""


class Holder(Protocol):
    """What keeps an unpacked batch."""

    def pack_up(self) -> None:
        """Let the unpacked batch go; what is left of it is unpacked again when it is read."""


class UnpackedRoom:
    """Shares a number of bytes among those that unpack batches.

    Whatever is alone gets all of it. A partition that is full keeps its batch without reading it; so that it stops no
    other, what is idle is packed up where room is missing.
    """

    def __init__(self, most: int, *, now: Callable[[], float]) -> None:
        """Share `most` bytes; `now` is a monotonic clock in seconds."""
        self.most = most
        self._now = now
        self._taken: dict[Holder, tuple[int, float]] = {}

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
        if not self.fits(size):
            raise NoRoomError
        self._taken[holder] = (size, self._now())

    def fits(self, size: int) -> bool:
        """Return whether so many bytes are free, after what is idle was packed up for them."""
        idle_since = self._now() - IDLE_SECONDS
        for holder, (_, read_at) in sorted(self._taken.items(), key=lambda each: each[1][1]):
            if self.taken + size <= self.most or read_at > idle_since:
                break
            holder.pack_up()
        return self.taken + size <= self.most

    def touch(self, holder: Holder) -> None:
        """Called when something of a holder's batch is read."""
        if (known := self._taken.get(holder)) is not None:
            self._taken[holder] = (known[0], self._now())

    def give_back(self, holder: Holder) -> None:
        """Take back what a holder has."""
        self._taken.pop(holder, None)
