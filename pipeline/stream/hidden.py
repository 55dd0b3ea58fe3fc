"""Messages that are in Kafka but hidden, because an open transaction before them may still be aborted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.metrics.lag import PartitionHidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NOTED_SECONDS: Final = 60.0
"""After this long `/readyz` shows it. Usual transactions are shorter."""


class LogEnds(NamedTuple):
    """Two ends of a partition: of readable messages (last stable offset), and of all messages (high watermark)."""

    partition: int
    readable: int
    all: int


class HiddenClock:
    """Knows for how long messages of each partition have been hidden by the same transaction."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        """`now` is a monotonic clock in seconds."""
        self._now = now
        self._since: dict[int, tuple[int, float]] = {}

    def look(self, ends: Iterable[LogEnds]) -> Sequence[PartitionHidden]:
        """Return the hidden messages of all assigned partitions. Others are forgotten.

        When a transaction ends, the last stable offset moves, and the time restarts.
        """
        now, before = self._now(), self._since
        self._since = {}
        found = []
        for partition, readable, end in ends:
            hidden = max(0, end - readable)
            since = now
            if hidden:
                known, known_since = before.get(partition, (readable, now))
                since = known_since if known == readable else now
                self._since[partition] = (readable, since)
            found.append(PartitionHidden(partition=partition, messages=hidden, seconds=now - since))
        return found

    def note(self, ends: Iterable[LogEnds]) -> str | None:
        """Return which partitions have waited long for a transaction; None if none has."""
        long = [each for each in self.look(ends) if each.seconds >= NOTED_SECONDS]
        if not long:
            return None
        worst = max(long, key=lambda each: each.seconds)
        others = f", and of {len(long) - 1} other partitions" if len(long) > 1 else ""
        return (
            f"{worst.messages} messages of partition {worst.partition}{others} are hidden by a transaction that has "
            f"been open for {worst.seconds:.0f} s: find its producer (`kafka-transactions find-hanging`)"
        )
