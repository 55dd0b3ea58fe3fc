"""Fill requests up to their exact size limit from records that wait in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Partition
    from pipeline.delivery.limits import LearntLimits, RequestLimits


def fitting(records: Sequence[bytes], *, used_bytes: int, used_records: int, limits: RequestLimits) -> int:
    """Return how many of the records fit into a body that already has ``used_bytes``, with a separator per record."""
    room = limits.max_bytes + limits.separator_bytes - used_bytes
    most = min(len(records), limits.max_records - used_records)
    for index in range(most):
        room -= len(records[index]) + limits.separator_bytes
        if room < 0:
            return index
    return most


class Backlog:
    """The runs that wait to be sent, oldest first."""

    def __init__(self, limits: LearntLimits) -> None:
        self._limits = limits
        self._runs: deque[Run] = deque()
        self._size = 0
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def oldest_since(self) -> float | None:
        return self._runs[0].source.since if self._runs else None

    @property
    def fills_a_request(self) -> bool:
        """Whether the next request is full."""
        limits = self._limits.in_force
        full = limits.body_bytes(records=self._count, record_bytes=self._size) >= limits.max_bytes
        return full or self._count >= limits.max_records

    def sources(self) -> list[BatchInHand]:
        """Return the batches with waiting records."""
        return [run.source for run in self._runs]

    def append(self, run: Run) -> None:
        """Append a run."""
        self._runs.append(run)
        self._size += run.size
        self._count += len(run.records)

    def take(self) -> RequestBatch:
        """Remove the oldest records, as many as fit into one request, and return them."""
        limits = self._limits.in_force
        used_bytes, used_records = limits.envelope_bytes, 0
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
            used_bytes += run.size + count * limits.separator_bytes
            used_records += count
        self._size -= sum(run.size for run in taken)
        self._count -= sum(len(run.records) for run in taken)
        return RequestBatch(runs=tuple(taken))

    def remove(self, partitions: Collection[Partition]) -> None:
        """Remove the runs of these partitions. The others keep their order."""
        kept = [run for run in self._runs if run.source.partition not in partitions]
        self._runs = deque(kept)
        self._size = sum(run.size for run in kept)
        self._count = sum(len(run.records) for run in kept)
