"""The user sketches of one raw partition, by name and month. This month and the previous one are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.state.user_sketch import UserSketch

if TYPE_CHECKING:
    from collections.abc import Callable

DELIVERY: Final = "delivery"
"""Users of dropped delivery events."""
SHADOW: Final = "shadow:"
"""Prefix of the sketch of a shadow rule's users."""
MOST_SKETCHES: Final = 64
"""The most names in a month. With more shadow rules, only the first ones count users. `DELIVERY` always fits."""
_MONTHS: Final = 2


class Sketches:
    """Keeps one sketch for each name and month, and knows which ones have changed since the last call of `changed`."""

    def __init__(self) -> None:
        self._months: dict[int, dict[str, UserSketch]] = {}
        self._changed: set[tuple[str, int]] = set()
        self._newest = -1

    def advance(self, month: int) -> None:
        """Set the present month. Later months are not counted, and only the previous one is kept."""
        self._newest = month
        for old in sorted(self._months)[:-_MONTHS]:
            del self._months[old]

    def add(self, name: str, month: int, user: int) -> None:
        """Count a user."""
        sketch = self._sketch(name, month)
        if sketch is not None and sketch.add(user):
            self._changed.add((name, month))

    def merge(self, name: str, month: int, sketch: UserSketch) -> None:
        """Merge a stored sketch."""
        own = self._sketch(name, month)
        if own is not None:
            own.merge(sketch)

    def names(self, month: int) -> list[str]:
        """Return the names of a month's sketches."""
        return list(self._months.get(month, ()))

    def estimate(self, name: str, month: int, counts: Callable[[int], bool] | None = None) -> float:
        """Estimate how many users were added; with `counts`, only those for whose hash it returns true."""
        sketch = self._months.get(month, {}).get(name)
        return 0.0 if sketch is None else sketch.estimate(counts)

    def changed(self) -> list[tuple[str, int, UserSketch]]:
        """Return what has changed since the last call."""
        changed = [
            (name, month, self._months[month][name]) for name, month in sorted(self._changed) if month in self._months
        ]
        self._changed.clear()
        return changed

    def _sketch(self, name: str, month: int) -> UserSketch | None:
        if not 0 <= month <= self._newest:
            return None
        named = self._months.get(month)
        if named is None:
            if len(self._months) >= _MONTHS and month < min(self._months):
                return None
            named = self._months[month] = {}
        sketch = named.get(name)
        if sketch is None and (len(named) < MOST_SKETCHES or name == DELIVERY):
            sketch = named[name] = UserSketch()
        return sketch
