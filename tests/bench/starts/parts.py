"""The parts of a start, from the times at which a worker reached them."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MARKS: Final[Mapping[str, str]] = {
    "interpreter": "Python starts",
    "imported": "imports",
    "configured": "settings, rules",
    "opened": "topics checked, producer connected",
    "assigned": "group joined",
    "fetched": "first messages fetched",
    "settled": "first messages settled",
}
"""What a worker reaches, in order, with the name of the part that ends there."""
TOTAL: Final = "total"


def parts_of(began: float, marks: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each part and of the whole.

    Raises:
        KeyError: the worker did not reach every part.
    """
    times = [began, *(marks[name] for name in MARKS)]
    parts = {name: later - earlier for name, (earlier, later) in zip(MARKS, pairwise(times), strict=True)}
    return {**parts, TOTAL: times[-1] - began}


def medians(starts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each part."""
    return {name: median(each[name] for each in starts) for name in (*MARKS, TOTAL)}


def assigned_at(log: Path) -> float | None:
    """Return when a worker first had partitions, from its log."""
    with log.open("rb") as lines:
        for line in lines:
            if b'"partitions assigned"' in line:
                found = orjson.loads(line)
                if found["partitions"]:
                    return datetime.fromisoformat(found["timestamp"]).timestamp()
    return None
