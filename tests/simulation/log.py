"""The log of one partition, and what is true of its messages."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True, eq=False, kw_only=True)
class Written:
    """A record, however often it was written. ``rank`` counts the records of its user.

    ``refused`` records are refused by the destination for good; ``turned_down`` ones were refused in an answer that
    accepted others of the same request.
    """

    name: str
    user: str
    refused: bool
    rank: int = 0
    copies: int = 1
    accepted: bool = False
    turned_down: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A message in a log; ``written`` is None when it cannot be sent."""

    offset: int
    value: bytes | None
    written: Written | None
    stored: bool = False
    removed: bool = False

    @property
    def settled(self) -> bool:
        return self.stored or self.removed or (self.written is not None and self.written.accepted)


class Log:
    """Messages with rising offsets. Offsets between them hold nothing for us."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.end = 0
        self._offsets: list[int] = []
        self._settled = 0

    def append(self, value: bytes | None, written: Written | None) -> Entry:
        entry = Entry(offset=self.end, value=value, written=written)
        self.entries.append(entry)
        self._offsets.append(entry.offset)
        self.end += 1
        return entry

    def leave_gap(self, offsets: int) -> None:
        self.end += offsets

    def at(self, offset: int) -> Entry:
        return self.entries[bisect_left(self._offsets, offset)]

    def read(self, position: int, most: int) -> tuple[Sequence[Entry], int]:
        """Return up to ``most`` entries from a position on, and where to read next."""
        found: list[Entry] = []
        for entry in self.entries[bisect_left(self._offsets, position) :]:
            if len(found) == most:
                return found, found[-1].offset + 1
            if not entry.removed:
                found.append(entry)
        return found, self.end

    def settled_to(self) -> int:
        """Return the offset before which everything is settled; what is settled stays so."""
        while self._settled < len(self.entries) and self.entries[self._settled].settled:
            self._settled += 1
        return self.entries[self._settled].offset if self._settled < len(self.entries) else self.end
