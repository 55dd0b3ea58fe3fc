"""What a lane holds: batches, runs of their records, and the flight that is one request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from pipeline.sinks.segment.body import ENVELOPE_BYTES, SEPARATOR_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Message, MessageBatch, Partition
    from pipeline.kafka.dead_letters import DeadLetter


@dataclass(slots=True, kw_only=True, eq=False)
class BatchInHand:
    """A batch in hand.

    ``since`` is when its flush interval began; ``unsettled`` counts its messages that are not settled yet.
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
    """Consecutive records of one batch; ``records`` are the values of ``messages``.

    ``times`` are when their events happened, in seconds since the epoch, 0 where that is not known.
    ``letters`` are the batch's messages that cannot be sent; they travel with its first run. ``size`` counts the
    records' bytes, each with a separator.
    """

    held: BatchInHand
    records: Sequence[bytes]
    messages: Sequence[Message]
    times: Sequence[float]
    letters: Sequence[DeadLetter] = ()
    size: int = field(init=False)

    def __post_init__(self) -> None:
        size = sum(map(len, self.records)) + SEPARATOR_BYTES * len(self.records)
        object.__setattr__(self, "size", size)  # counted once: a run is looked at often

    def split(self, count: int) -> tuple[Run, Run]:
        """Cut after ``count`` records."""
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestBatch:
    """The runs that share one request, in the order in which they came."""

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

    @property
    def body_bytes(self) -> int:
        """The exact length of the request's body."""
        return ENVELOPE_BYTES + sum(run.size for run in self.runs) - (SEPARATOR_BYTES if self.record_count else 0)

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Tell whether a message of one of the partitions is aboard."""
        return any(run.held.partition in partitions for run in self.runs)

    def without(self, partitions: Collection[Partition]) -> RequestBatch:
        """Leave out the runs of some partitions; the others keep their order."""
        return RequestBatch(runs=tuple(run for run in self.runs if run.held.partition not in partitions))

    def only_letters(self) -> RequestBatch:
        """Leave out what can be sent, and the runs of which nothing is left."""
        return RequestBatch(
            runs=tuple(replace(run, records=(), messages=(), times=()) for run in self.runs if run.letters)
        )

    def only_records(self) -> RequestBatch:
        """Leave out what cannot be sent, and the runs of which nothing is left."""
        return RequestBatch(
            runs=tuple(replace(run, letters=()) if run.letters else run for run in self.runs if run.records)
        )

    def pieces(self, most: int) -> list[RequestBatch]:
        """Cut records into up to ``most`` flights of nearly the same number of them, in order."""
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
