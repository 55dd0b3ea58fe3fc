"""Keep the reasons to hold, and say each of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from pipeline.kafka.headers import AVRO_RECORD_FORMAT
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.core.breaker import BreakerLimits
    from pipeline.core.messages import Partition
    from pipeline.kafka.dead_letters import DeadLetter

logger = structlog.get_logger(__name__)

_MAX_VERSION_DIGITS: Final = 4
_AVRO: Final = AVRO_RECORD_FORMAT.decode()
_FOREIGN: Final = ""


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
    """Return which partitions stopped at records that this sink cannot read, and what to do about it."""
    versions: dict[str, list[int]] = {}
    for (_, number), version in partitions.items():
        versions.setdefault(_shown(version), []).append(number)
    return tuple(
        f"records {_named(version)} in partitions {', '.join(map(str, sorted(numbers)))}: {_remedy(version)}"
        for version, numbers in versions.items()
    )


def _shown(version: bytes) -> str:
    """Return a version as this project counts them; what else stands in its place may be anybody's words."""
    return version.decode() if version.isdigit() and len(version) <= _MAX_VERSION_DIGITS else _FOREIGN


def _named(version: str) -> str:
    if version == _FOREIGN:
        return "with a format version that is no number"
    return "in Avro" if version == _AVRO else f"of format version {version!r}"


def _remedy(version: str) -> str:
    """Return what to do about a format; one in Avro is unknown only where no registry is."""
    if version == _AVRO:
        return f"this sink knows no registry with their schema, set {variable('schema_registry_url')}"
    if version == _FOREIGN:
        return "something else than a processor wrote them, see who may write to the records topic"
    return "a newer processor wrote them, upgrade the sinks first"


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
