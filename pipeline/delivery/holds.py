"""The reasons why lanes hold, each logged once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.kafka.headers import AVRO_RECORD_FORMAT
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import structlog

    from pipeline.core.breaker import BreakerLimits
    from pipeline.core.messages import Partition
    from pipeline.kafka.dead_letters import DeadLetter

_MAX_VERSION_DIGITS: Final = 4
_AVRO: Final = AVRO_RECORD_FORMAT.decode()
_FOREIGN: Final = ""


class Holds:
    """The reasons why lanes hold. A reason that several lanes share is logged once.

    ``since`` is when the sink began to hold, in seconds since the epoch; None while it does not.
    """

    def __init__(self, logger: structlog.stdlib.BoundLogger, *, wall_clock: Callable[[], float]) -> None:
        self._logger = logger
        self._wall_clock = wall_clock
        self._reasons: dict[int, tuple[str, ...]] = {}
        self._present: frozenset[str] = frozenset()
        self.since: float | None = None

    @property
    def reason(self) -> str | None:
        """Every reason, in one sentence; None while no lane holds."""
        return "; ".join(sorted(self._present)) or None

    def update(self, lane: int, reasons: tuple[str, ...]) -> None:
        """Set the reasons why a lane holds; empty if it does not hold."""
        if self._reasons.get(lane, ()) == reasons:
            return
        self._reasons[lane] = reasons
        before, present = self._present, frozenset(reason for each in self._reasons.values() for reason in each)
        for reason in sorted(present - before):
            self._logger.error("sink holding", reason=reason)
        if before and not present:
            self._logger.info("sink resumed")
        self.since = (self.since or self._wall_clock()) if present else None
        self._present = present


def unknown_formats(partitions: Mapping[Partition, bytes]) -> tuple[str, ...]:
    """Return which partitions stopped at records of an unknown format, and what to do about it."""
    versions: dict[str, list[int]] = {}
    for (_, number), version in partitions.items():
        versions.setdefault(_shown(version), []).append(number)
    return tuple(
        f"records {_named(version)} in partitions {', '.join(map(str, sorted(numbers)))}: {_remedy(version)}"
        for version, numbers in versions.items()
    )


def _shown(version: bytes) -> str:
    """Return a version if it is a small number. Anything else in that header may be personal data."""
    return version.decode() if version.isdigit() and len(version) <= _MAX_VERSION_DIGITS else _FOREIGN


def _named(version: str) -> str:
    if version == _FOREIGN:
        return "with a format version that is not a number"
    return "in Avro" if version == _AVRO else f"of format version {version!r}"


def _remedy(version: str) -> str:
    """Return what to do about a format. Avro is unknown only if no schema registry is set."""
    if version == _AVRO:
        return f"this sink has no schema registry, set {variable('schema_registry_url')}"
    if version == _FOREIGN:
        return "they were not written by a processor: check who may write to the records topic"
    return "a newer processor wrote them, upgrade the sinks first"


def too_many_dead_letters(limits: BreakerLimits, because: str) -> str:
    """Return why the breaker stops the lane, and what to do."""
    return (
        f"more than {limits.max_share:.4g} of the last {limits.window} records would become dead letters, and none"
        f" of these was written ({because}); the sink retries automatically. Fix the cause, or raise"
        " PIPELINE_DEAD_LETTER_MAX_SHARE if these records can be lost"
    )


def reasons_of(letters: Iterable[DeadLetter]) -> str:
    """Return the reasons of dead letters as a text."""
    return "the reasons are " + ", ".join(sorted({letter.reason.value for letter in letters}))
