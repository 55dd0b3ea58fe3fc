"""How long each part takes, in seconds: a full run, and a quick one that only shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

AROUND_PIPELINE: Final = 9.0
"""The time for starting, stopping and the arrival of the last event around a window, from experience."""
AROUND_CONTESTANT: Final = 4.0
READING_A_RECORD: Final = 15e-6
AROUND_IDLE: Final = 7.0
BACKLOG_ROUND: Final = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Seconds of warm-up, and the parts of the windows."""

    rates: Sequence[int] = (100, 1_000, 10_000)
    part_seconds: float = 5.0
    warm: float = 15.0
    parts: int = 6
    idle_warm: float = 5.0
    idle_parts: int = 3
    backlog_events: int = 100_000

    @property
    def window(self) -> float:
        """Return the warm-up and window of one contestant at one rate."""
        return self.warm + self.parts * self.part_seconds

    @property
    def idle_window(self) -> float:
        """Return the same for idle workers."""
        return self.idle_warm + self.idle_parts * self.part_seconds


FULL: Final = Lengths()
QUICK: Final = Lengths(part_seconds=1.0, warm=4.0, parts=3, idle_warm=2.0, backlog_events=20_000)
