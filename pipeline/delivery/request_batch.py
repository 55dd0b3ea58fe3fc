"""Message batches in hand, runs of their records, and the request batch that becomes one request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Message, MessageBatch, Partition
    from pipeline.delivery.limits import RequestLimits
    from pipeline.kafka.dead_letters import DeadLetter


@dataclass(slots=True, kw_only=True, eq=False)
class BatchInHand:
    """An unsettled message batch of a lane.

    ``since`` is when its flush interval began, on the event loop's clock. ``size`` is the bytes of its messages'
    values. ``unsettled`` counts its unsettled messages.
    """

    batch: MessageBatch
    since: float
    size: int
    unsettled: int

    @property
    def partition(self) -> Partition:
        return self.batch.topic, self.batch.partition


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Consecutive records of one message batch; ``records`` are the values of ``messages``.

    ``times`` are the times of their events, in seconds since the epoch, 0 if unknown. ``letters`` are the dead letters
    of the batch's messages that cannot be sent; they belong to its first run. ``size`` is the bytes of the records.
    """

    source: BatchInHand
    records: Sequence[bytes]
    messages: Sequence[Message]
    times: Sequence[float]
    letters: Sequence[DeadLetter] = ()
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(map(len, self.records)))  # computed once, because it is read often

    def split(self, count: int) -> tuple[Run, Run]:
        """Split after ``count`` records. The dead letters stay with the first part."""
        return (
            replace(self, records=self.records[:count], messages=self.messages[:count], times=self.times[:count]),
            replace(
                self,
                records=self.records[count:],
                messages=self.messages[count:],
                times=self.times[count:],
                letters=(),
            ),
        )

    def pick(self, indexes: Sequence[int]) -> Run:
        """Return the records at some indexes, in their order, without dead letters."""
        return replace(
            self,
            records=[self.records[index] for index in indexes],
            messages=[self.messages[index] for index in indexes],
            times=[self.times[index] for index in indexes],
            letters=(),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestBatch:
    """The runs that share one request, in order of arrival."""

    runs: tuple[Run, ...]

    @property
    def records(self) -> list[bytes]:
        return list(chain.from_iterable(run.records for run in self.runs))

    @property
    def times(self) -> list[float]:
        return list(chain.from_iterable(run.times for run in self.runs))

    @property
    def letters(self) -> list[DeadLetter]:
        return list(chain.from_iterable(run.letters for run in self.runs))

    @property
    def record_count(self) -> int:
        return sum(len(run.records) for run in self.runs)

    def body_bytes(self, limits: RequestLimits) -> int:
        """Return the exact length of the request's body."""
        return limits.body_bytes(records=self.record_count, record_bytes=sum(run.size for run in self.runs))

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Return whether it has a message of one of the partitions."""
        return any(run.source.partition in partitions for run in self.runs)

    def without(self, partitions: Collection[Partition]) -> RequestBatch:
        """Return the batch without the runs of these partitions."""
        return RequestBatch(runs=tuple(run for run in self.runs if run.source.partition not in partitions))

    def only_letters(self) -> RequestBatch:
        """Return the dead letters alone, without empty runs."""
        return RequestBatch(
            runs=tuple(replace(run, records=(), messages=(), times=()) for run in self.runs if run.letters)
        )

    def only_records(self) -> RequestBatch:
        """Return the records alone, without empty runs."""
        return RequestBatch(
            runs=tuple(replace(run, letters=()) if run.letters else run for run in self.runs if run.records)
        )

    def singles(self, indexes: Collection[int]) -> list[tuple[int, Run]]:
        """Return the records at these indexes as separate runs, each with its index.

        Indexes count all records from 0, in the order of the body.
        """
        singles: list[tuple[int, Run]] = []
        first = 0
        for run in self.runs:
            own = range(len(run.records))
            singles += ((first + number, run.pick([number])) for number in own if first + number in indexes)
            first += len(run.records)
        return singles

    def except_for(self, indexes: Collection[int]) -> RequestBatch:
        """Return the batch without the records at these indexes (see `singles`) and without empty runs."""
        runs: list[Run] = []
        first = 0
        for run in self.runs:
            stay = [number for number in range(len(run.records)) if first + number not in indexes]
            runs += [run.pick(stay)] if stay else []
            first += len(run.records)
        return RequestBatch(runs=tuple(runs))

    def pieces(self, most: int) -> list[RequestBatch]:
        """Split the records into at most ``most`` request batches of nearly equal counts, in order."""
        size = -(-self.record_count // most)
        pieces: list[list[Run]] = [[]]
        room = size
        for run in self.runs:
            rest = run
            while len(rest.records) > room:
                first, rest = rest.split(room)
                pieces[-1] += [first] if first.records else []
                pieces.append([])
                room = size
            pieces[-1].append(rest)
            room -= len(rest.records)
        return [RequestBatch(runs=tuple(runs)) for runs in pieces]
