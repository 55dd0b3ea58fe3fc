"""Keep the reasons to hold, and say each of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.core.breaker import BreakerLimits
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.sinks.segment.flight import Partition

logger = structlog.get_logger(__name__)

_MAX_VERSION_CHARACTERS: Final = 20


class Holds:
    """The reasons for which lanes hold. Lanes that hold for the same reason make one line in the log."""

    def __init__(self, *, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._reasons: dict[int, tuple[str, ...]] = {}
        self._told: frozenset[str] = frozenset()
        self.since: float | None = None

    @property
    def reason(self) -> str | None:
        """Every reason that holds, in one sentence; None while none does."""
        return "; ".join(sorted(self._told)) or None

    def tell(self, lane: int, reasons: tuple[str, ...]) -> None:
        """Say for which reasons a lane holds now; none is the end of it."""
        if self._reasons.get(lane, ()) == reasons:
            return
        self._reasons[lane] = reasons
        present = frozenset(reason for each in self._reasons.values() for reason in each)
        for reason in sorted(present - self._told):
            logger.error("segment sink holds", reason=reason)
        if self._told and not present:
            logger.info("segment sink goes on")
        self.since = (self.since or self._wall_clock()) if present else None
        self._told = present


def unknown_formats(partitions: Mapping[Partition, bytes]) -> tuple[str, ...]:
    """Say which partitions stopped at records that a newer processor wrote."""
    versions: dict[str, list[int]] = {}
    for (_, number), version in partitions.items():
        versions.setdefault(version[:_MAX_VERSION_CHARACTERS].decode("ascii", "replace"), []).append(number)
    return tuple(
        f"records of format version {version!r} in partitions {', '.join(map(str, sorted(numbers)))}:"
        " a newer processor wrote them, upgrade the sinks first"
        for version, numbers in versions.items()
    )


def too_many_dead_letters(limits: BreakerLimits, because: str) -> str:
    """Say that the breaker holds, and what to do."""
    return (
        f"more than {limits.max_share:.4g} of the last {limits.window} records would become dead letters, and none"
        f" of these was written ({because}); it is tried again by itself. Mend the cause, or raise"
        " PIPELINE_DEAD_LETTER_MAX_SHARE if these records are really worth nothing"
    )


def reasons_of(letters: Iterable[DeadLetter]) -> str:
    """Name the reasons of dead letters, for people."""
    return "the reasons are " + ", ".join(sorted({letter.reason.value for letter in letters}))
