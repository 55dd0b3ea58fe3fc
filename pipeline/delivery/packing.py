"""Fill requests to the byte, from records that wait in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run
from pipeline.sinks.segment.body import ENVELOPE_BYTES, SEPARATOR_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingLimits:
    """How much goes into one request. ``max_bytes`` counts the whole body, envelope and commas included.

    Raises:
        ValueError: the largest record would not fit into a request of its own.
    """

    max_bytes: int
    max_records: int
    max_record_bytes: int = MAX_RECORD_BYTES

    def __post_init__(self) -> None:
        if self.max_bytes < self.least_bytes or self.max_records < 1:
            raise ValueError(f"a request needs room for one record: at least {self.least_bytes} bytes")

    @property
    def least_bytes(self) -> int:
        """The body of the largest record alone."""
        return ENVELOPE_BYTES + self.max_record_bytes


class LearntLimits:
    """The limits in force for all lanes of a sink: those of the settings, until a body was too large on the way.

    The size only shrinks, until the process ends. It stays large enough for the largest record: a smaller one would
    leave records that fit into no request.
    """

    def __init__(self, limits: PackingLimits) -> None:
        self.in_force = limits

    @property
    def max_bytes(self) -> int:
        return self.in_force.max_bytes

    def cured(self, body_bytes: int) -> None:
        """Learn from a body that was refused as too large, and whose records were accepted in smaller ones.

        Half of it is the new limit: after a few of these it is below what the way takes, and never below half of that.
        """
        max_bytes = max(self.in_force.least_bytes, body_bytes // 2)
        if max_bytes < self.max_bytes:
            self.in_force = replace(self.in_force, max_bytes=max_bytes)


def fitting(records: Sequence[bytes], *, used_bytes: int, used_records: int, limits: PackingLimits) -> int:
    """Count the leading records that still fit into a body of ``used_bytes``, one comma for each record included."""
    room = limits.max_bytes + SEPARATOR_BYTES - used_bytes
    most = min(len(records), limits.max_records - used_records)
    for index in range(most):
        room -= len(records[index]) + SEPARATOR_BYTES
        if room < 0:
            return index
    return most


class Backlog:
    """The runs that wait for a request, oldest first."""

    def __init__(self, limits: LearntLimits) -> None:
        self._limits = limits
        self._runs: deque[Run] = deque()
        self._size = 0
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def oldest_since(self) -> float | None:
        return self._runs[0].held.since if self._runs else None

    @property
    def fills_a_request(self) -> bool:
        """Whether nothing more can be put into the next request by waiting."""
        full = ENVELOPE_BYTES + self._size - SEPARATOR_BYTES >= self._limits.max_bytes
        return full or self._count >= self._limits.in_force.max_records

    def holds(self) -> list[BatchInHand]:
        """Return the batches of which something waits."""
        return [run.held for run in self._runs]

    def append(self, run: Run) -> None:
        """Put a run behind the others."""
        self._runs.append(run)
        self._size += run.size
        self._count += len(run.records)

    def take(self) -> RequestBatch:
        """Take the oldest records, as many as one request holds."""
        limits, used_bytes, used_records = self._limits.in_force, ENVELOPE_BYTES, 0
        taken: list[Run] = []
        while self._runs:
            run = self._runs[0]
            count = fitting(run.records, used_bytes=used_bytes, used_records=used_records, limits=limits)
            if count < len(run.records):
                if count:
                    first, self._runs[0] = run.split(count)
                    taken.append(first)
                break
            taken.append(self._runs.popleft())
            used_bytes += run.size
            used_records += count
        flight = RequestBatch(runs=tuple(taken))
        self._size -= sum(run.size for run in taken)
        self._count -= flight.record_count
        return flight

    def remove(self, partitions: Collection[Partition]) -> None:
        """Forget what waits of some partitions; the others keep their order."""
        kept = [run for run in self._runs if run.held.partition not in partitions]
        self._runs = deque(kept)
        self._size = sum(run.size for run in kept)
        self._count = sum(len(run.records) for run in kept)
