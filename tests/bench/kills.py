"""The cost of a SIGKILL: records written twice and events never written, for the processor and stock Faust.

Both get the same steady load, so that what is in hand when they are killed can be compared.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bench.runs import Contestant, Run, RunError, Topics
from tests.bench.traffic import Filler, events
from tests.bench.written_records import account_of, copies_in, ends_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.bench.cluster import Cluster
    from tests.bench.written_records import Copy

KILLS = 5
EVENTS_A_SECOND = 1_000
_TICK_SECONDS = 0.05
_POLL_SECONDS = 0.1
_RECORDS_BEFORE_A_KILL = (2 * EVENTS_A_SECOND, 9 * EVENTS_A_SECOND)
"""Some kills come while the backlog since the last one is being read, some after that."""
_STILL_SECONDS = 15.0
"""Without a new record for this long, no more will come: a commit that is ahead of the records has lost the rest."""
_LONGEST_SECONDS = 60.0
_LONGEST_DRAIN_SECONDS = 180.0
_MOST = 10**9
_SETTINGS = {"PIPELINE_SESSION_TIMEOUT_SECONDS": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """The result of one contestant's kills; `duplicates` has those after each kill, in order."""

    events: int
    duplicates: Sequence[int]
    duplicates_before: int
    """Records that were written twice before the first kill; there is no valid reason for them."""
    lost: int

    @property
    def kills(self) -> int:
        return len(self.duplicates)

    @property
    def duplicates_per_kill(self) -> float:
        return sum(self.duplicates) / self.kills

    @property
    def most_duplicates_a_kill(self) -> int:
        return max(self.duplicates)

    def figures(self) -> dict[str, Any]:
        """Return the figures as reports show them."""
        return {
            "kills": self.kills,
            "events": self.events,
            "duplicates_per_kill": round(self.duplicates_per_kill, 1),
            "most_duplicates_a_kill": self.most_duplicates_a_kill,
            "duplicates_by_kill": list(self.duplicates),
            "duplicates_before_a_kill": self.duplicates_before,
            "lost": self.lost,
        }

    def __str__(self) -> str:
        unexplained = f", {self.duplicates_before} more without a kill" if self.duplicates_before else ""
        return (
            f"{self.kills} kills at {EVENTS_A_SECOND:,} events/s, {self.duplicates_per_kill:.0f} records "
            f"written twice per kill ({', '.join(map(str, self.duplicates))}){unexplained}, "
            f"{self.lost} of {self.events:,} events lost"
        )


def compare_kills(cluster: Cluster, *, tell: Callable[[str], None]) -> dict[str, Killed]:
    """Kill both contestants equally often under the same load.

    Raises:
        RunError: a contestant ended by itself or did not stop, or the processor lost an event or stopped making
            progress.
    """
    killed = {}
    for name, contestant in (("processor", Contestant.PROCESSOR), ("stock_faust", Contestant.STOCK_FAUST)):
        killed[name] = _killed(cluster, contestant)
        tell(f"{name.replace('_', ' ')}: {killed[name]}")
    if killed["processor"].lost:
        raise RunError(f"the processor lost {killed['processor'].lost:,} events")
    return killed


def duplicates_by_kill(copies: Iterable[Copy], ends: Sequence[Mapping[int, int]]) -> list[int]:
    """Return the number of second and later copies before the first kill, then after each kill.

    A copy belongs to the last kill before it was written, wherever the first one is. What a killed process had sent may
    be stored after its end was read; a later copy of that is still written after the kill.

    Args:
        copies: The records, those of a partition in their order. All copies of an event are in one partition.
        ends: Where each partition of their topic ended when a contestant had been killed, kill by kill.
    """
    counts = [0] * (len(ends) + 1)
    seen: set[tuple[int, int]] = set()
    for copy in copies:
        if copy.source in seen:
            counts[sum(end[copy.partition] <= copy.offset for end in ends)] += 1
        seen.add(copy.source)
    return counts


def _killed(cluster: Cluster, contestant: Contestant) -> Killed:
    chance = random.Random(7)
    with cluster.topic("raw") as raw, cluster.topic("records") as records, cluster.topic("letters") as letters:
        ends_of(cluster, records)  # returns when every partition has its leader
        ends: list[dict[int, int]] = []
        topics = Topics(raw=raw, records=records, dead_letters=letters)
        settings = {**_SETTINGS, "PIPELINE_PROCESSOR_GROUP": f"{raw}.killed"}
        with _load(cluster, raw):
            for _ in range(KILLS):
                enough = cluster.written(records) + chance.randrange(*_RECORDS_BEFORE_A_KILL)
                with Run(contestant, cluster, topics, messages=_MOST, settings=settings) as run:
                    if not _until_written(cluster, records, enough, run) and contestant is Contestant.PROCESSOR:
                        raise RunError(f"the processor wrote too few records in {_LONGEST_SECONDS:g} s to be killed")
                    run.process.kill()
                ends.append(ends_of(cluster, records))
        with Run(contestant, cluster, topics, messages=_MOST, settings=settings) as run:
            _until_still(cluster, records, run)
        copies, written = list(copies_in(cluster, records)), ends_of(cluster, raw)
    before, *after = duplicates_by_kill(copies, ends)
    return Killed(
        events=sum(written.values()),
        duplicates=after,
        duplicates_before=before,
        lost=account_of(copies, written).missing,
    )


class _Load:
    """Writes events at a steady rate until it is stopped."""

    def __init__(self) -> None:
        self.written = 0
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def write(self, cluster: Cluster, topic: str) -> None:
        pairs, started = events(_MOST), time.monotonic()
        with Filler(cluster.bootstrap_servers, topic) as filler:
            while not self._stop.wait(_TICK_SECONDS):
                for _ in range(int((time.monotonic() - started) * EVENTS_A_SECOND) - self.written):
                    filler.put(*next(pairs))
                    self.written += 1


@contextmanager
def _load(cluster: Cluster, topic: str) -> Iterator[None]:
    """Write events while the block runs.

    Raises:
        RunError: Kafka did not confirm all of them.
    """
    load = _Load()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(load.write, cluster, topic)
        try:
            yield
        finally:
            load.stop()
        try:
            writing.result()
        except AssertionError as error:
            raise RunError(f"the load could not be written: {error}") from error


def _until_written(cluster: Cluster, records: str, enough: int, run: Run) -> bool:
    """Wait until there are this many records; return False if it takes too long."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while cluster.written(records) < enough:
        if time.monotonic() > deadline:
            return False
        run.ends(within_seconds=_POLL_SECONDS)
    return True


def _until_still(cluster: Cluster, records: str, run: Run) -> None:
    deadline = time.monotonic() + _LONGEST_DRAIN_SECONDS
    written, since = -1, time.monotonic()
    while time.monotonic() < since + _STILL_SECONDS:
        if time.monotonic() > deadline:
            raise RunError(f"records still came after {_LONGEST_DRAIN_SECONDS:g} s: it is unknown what is lost")
        now = cluster.written(records)
        if now != written:
            written, since = now, time.monotonic()
        run.ends(within_seconds=_POLL_SECONDS)
