"""Resident memory of the processor over millions of events, with a backlog that keeps every buffer full."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from statistics import mean
from typing import TYPE_CHECKING

import psutil

from tests.bench.runs import Contestant, Run, Topics
from tests.bench.traffic import Filler, events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.cluster import Cluster

_AHEAD = 150_000
"""Events that may be queued: more than the processor keeps in memory, less than the topics keep."""
_CHUNK = 5_000
_SAMPLE_SECONDS = 0.25
_LONGEST_SECONDS = 1_200
_MEGABYTE = 1_000_000
_KEEP_LITTLE = {"retention.bytes": str(32 * 1024 * 1024), "segment.bytes": str(8 * 1024 * 1024)}
"""For each of the 16 partitions: a topic never has much more than half a gigabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Resident memory when this many events were processed."""

    events: int
    megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory over a run, in millions of bytes."""

    events: int
    samples: Sequence[Sample]

    def quarter(self, number: int) -> float:
        """Return the mean over one quarter of the events, 1 to 4."""
        first, last = self.events * (number - 1) / 4, self.events * number / 4
        return mean(sample.megabytes for sample in self.samples if first <= sample.events <= last)

    @property
    def growth(self) -> float:
        """Return the last quarter relative to the second; the first is warm-up."""
        return self.quarter(4) / self.quarter(2)

    @property
    def peak(self) -> float:
        return max(sample.megabytes for sample in self.samples)


def watch_memory(cluster: Cluster, *, count: int, tell: Callable[[str], None]) -> Memory:
    """Run the processor over this many events and sample its memory.

    Raises:
        RunError: it failed, or did not process everything.
        TimeoutError: it took too long.
    """
    with (
        cluster.topic("raw", configuration=_KEEP_LITTLE) as raw,
        cluster.topic("records", configuration=_KEEP_LITTLE) as records,
        cluster.topic("letters") as letters,
        Run(
            Contestant.PROCESSOR, cluster, Topics(raw=raw, records=records, dead_letters=letters), messages=count
        ) as run,
    ):
        watch = _Watch(cluster, run, records)
        source = events(count)
        with Filler(cluster.bootstrap_servers, raw) as filler:
            for written in range(_CHUNK, count + _CHUNK, _CHUNK):
                for key, value in islice(source, _CHUNK):
                    filler.put(key, value)
                watch.until(written - _AHEAD)
                tell(f"{watch.samples[-1].events:>9,} events, {watch.samples[-1].megabytes:.0f} MB")
        watch.until(count)
        run.measured()
        return Memory(events=count, samples=watch.samples)


class _Watch:
    """Samples a run while it is active."""

    def __init__(self, cluster: Cluster, run: Run, records: str) -> None:
        self.samples: list[Sample] = []
        self._cluster = cluster
        self._run = run
        self._records = records
        self._process = psutil.Process(run.process.pid)
        self._deadline = time.monotonic() + _LONGEST_SECONDS

    def until(self, processed: int) -> None:
        """Sample until this many events are processed; at least once.

        Raises:
            RunError: the run ended early.
            TimeoutError: it takes too long.
        """
        while self._sample() < processed and not self._run.ends(within_seconds=_SAMPLE_SECONDS):
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"{processed:,} events were not processed in {_LONGEST_SECONDS} s")

    def _sample(self) -> int:
        """Sample once; return how many events were processed by then."""
        processed = self._cluster.written(self._records)
        with suppress(psutil.NoSuchProcess):
            resident = self._process.memory_info().rss
            if resident:  # a process that has ended and was not waited for has no memory
                self.samples.append(Sample(events=processed, megabytes=resident / _MEGABYTE))
        return processed
