"""What is odd about the ids of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.core.ids import IgnoredId


class Flaws:
    """What was found in an event's ids that its fields cannot hold.

    ``ignored`` are the ids that were present and not used, the external ids apart. ``unreadable`` are external ids that
    are present and cannot be read, so that nobody can tell who the event is about. ``external_ids``, where it is not
    empty, has the external ids in every spelling of the body with their paths, the first choice first.
    """

    __slots__ = ("external_ids", "ignored", "unreadable")

    def __init__(
        self,
        ignored: tuple[IgnoredId, ...] = (),
        unreadable: tuple[IgnoredId, ...] = (),
        external_ids: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.ignored = ignored
        self.unreadable = unreadable
        self.external_ids = external_ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flaws) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return self.ignored, self.unreadable, self.external_ids
