"""The log of one partition, and the facts about its messages."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True, eq=False, kw_only=True)
class Written:
    """A record, with the number of its copies. ``rank`` counts the records of its user.

    ``refused`` records are refused by the destination permanently; ``turned_down`` ones were refused in an answer that
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
class LoggedMessage:
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
    """Messages with rising offsets. The offsets between them have no message."""

    def __init__(self) -> None:
        self.messages: list[LoggedMessage] = []
        self.end = 0
        self._offsets: list[int] = []
        self._settled = 0

    def append(self, value: bytes | None, written: Written | None) -> LoggedMessage:
        message = LoggedMessage(offset=self.end, value=value, written=written)
        self.messages.append(message)
        self._offsets.append(message.offset)
        self.end += 1
        return message

    def leave_gap(self, offsets: int) -> None:
        self.end += offsets

    def at(self, offset: int) -> LoggedMessage:
        return self.messages[bisect_left(self._offsets, offset)]

    def read(self, position: int, most: int) -> tuple[Sequence[LoggedMessage], int]:
        """Return up to ``most`` messages from a position on, and the position after them."""
        found: list[LoggedMessage] = []
        for message in self.messages[bisect_left(self._offsets, position) :]:
            if len(found) == most:
                return found, found[-1].offset + 1
            if not message.removed:
                found.append(message)
        return found, self.end

    def settled_to(self) -> int:
        """Return the offset before which everything is settled. Settled messages stay settled."""
        while self._settled < len(self.messages) and self.messages[self._settled].settled:
            self._settled += 1
        return self.messages[self._settled].offset if self._settled < len(self.messages) else self.end
