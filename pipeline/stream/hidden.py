"""Messages that are in Kafka and are hidden: an open transaction in front of them may still be aborted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.metrics.lag import PartitionHidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NOTED_SECONDS: Final = 60.0
"""After this long `/readyz` mentions it: transactions of a usual length are nobody's concern."""


class LogEnds(NamedTuple):
    """Two ends of a partition: of what may be read (the last stable offset), and of all (the high watermark)."""

    partition: int
    readable: int
    all: int


class HiddenClock:
    """Knows for how long messages of each partition have been hidden by the same transaction."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        """Know nothing. `now` is a monotonic clock in seconds."""
        self._now = now
        self._since: dict[int, tuple[int, float]] = {}

    def look(self, ends: Iterable[LogEnds]) -> Sequence[PartitionHidden]:
        """Judge every assigned partition; those that are not named are forgotten.

        A transaction that ends moves the end of what may be read, and the time begins anew.
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
        """Return which partitions have long been waiting for a transaction; None where none has."""
        long = [each for each in self.look(ends) if each.seconds >= NOTED_SECONDS]
        if not long:
            return None
        worst = max(long, key=lambda each: each.seconds)
        others = f", and of {len(long) - 1} other partitions" if len(long) > 1 else ""
        return (
            f"{worst.messages} messages of partition {worst.partition}{others} are hidden by a transaction that has "
            f"been open for {worst.seconds:.0f} s: find its producer (`kafka-transactions find-hanging`)"
        )
