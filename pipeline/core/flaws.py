"""The flaws of an event's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.core.ids import IgnoredId


class Flaws:
    """Findings about an event's ids that its fields cannot represent.

    ``ignored`` are the ids that were present and not used, except external ids. ``unreadable`` are external ids that
    are present and cannot be read, so it is unknown whom the event is about. ``external_ids``, unless it is empty,
    lists the external ids in every spelling of the body with their paths, in order of preference.
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
