"""The sizes of the scaling measurement: a full run, and a quick one that only shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a run."""

    events: int = 200_000
    rounds: int = 9
    few_users: int = 10_000
    many_users: int = 5_000_000
    partitions: Sequence[int] = (1, 12, 64)
    warm: float = 10.0
    parts: int = 4
    part_seconds: float = 5.0


FULL: Final = Sizes()
QUICK: Final = Sizes(events=20_000, rounds=1, many_users=100_000, warm=3.0, parts=3, part_seconds=1.0)
