"""How long a worker takes from a kill to its successor's first settled record, and the parts of that time."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.settings.choices import Role

PARTS: Final = ("process_start", "joined", "first_record", "total")


@dataclass(slots=True, kw_only=True)
class Recovery:
    """One start of a worker; times are seconds since the epoch. ``killed_at`` is None if nothing was killed before."""

    role: Role
    credential: str
    log: Path
    killed_at: float | None
    spawned_at: float | None = None
    started_at: float | None = None
    ready_at: float | None = None
    first_at: float | None = None

    def parts(self) -> dict[str, float] | None:
        """Return the parts in seconds; None if it was not a kill, or was killed again before it had recovered."""
        if self.killed_at is None or self.started_at is None or self.ready_at is None or self.first_at is None:
            return None
        ready_at = max(self.started_at, min(self.ready_at, self.first_at))  # the page is polled at intervals
        return {
            "process_start": self.started_at - self.killed_at,
            "joined": ready_at - self.started_at,
            "first_record": self.first_at - ready_at,
            "total": self.first_at - self.killed_at,
        }


def first_batch(log: Path) -> float | None:
    """Return when the first batch was confirmed, from a processor's log: the first summary is written at once."""
    with log.open("rb") as lines:
        for line in lines:
            if b'"events settled"' in line:
                return datetime.fromisoformat(orjson.loads(line)["timestamp"]).timestamp()
    return None


def recovery_seconds(recoveries: Sequence[Recovery]) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Return median, maximum and count by role and part."""
    found: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for role in sorted({each.role.value for each in recoveries}):
        measured = [parts for each in recoveries if each.role == role and (parts := each.parts())]
        if measured:
            found[role] = {
                part: {
                    "median": round(statistics.median(each[part] for each in measured), 2),
                    "largest": round(max(each[part] for each in measured), 2),
                    "measured": len(measured),
                }
                for part in PARTS
            }
    return found
