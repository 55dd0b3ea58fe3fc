"""What a SIGKILL costs: records that are written twice and events that never are, the processor beside stock Faust.

Both get the same steady load, so that what is in hand when they are killed can be compared.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bench.runs import Contestant, Run, Topics
from tests.bench.traffic import Filler, events
from tests.integration.clients import read_topic, watermarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.cluster import Cluster

KILLS = 5
EVENTS_A_SECOND = 1_000
_TICK_SECONDS = 0.05
_POLL_SECONDS = 0.1
_STILL_SECONDS = 15.0
"""Without a new record for so long, nothing more comes: a commit that is ahead of the records has lost the rest."""
_LONGEST_SECONDS = 60.0
_MOST = 10**9
_SETTINGS = {"PIPELINE_SESSION_TIMEOUT_SECONDS": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What came of one contestant's kills."""

    kills: int
    events: int
    duplicates: int
    lost: int

    @property
    def duplicates_per_kill(self) -> float:
        return self.duplicates / self.kills

    def figures(self) -> dict[str, Any]:
        """Return the figures as reports have them."""
        return {
            "kills": self.kills,
            "events": self.events,
            "duplicates_per_kill": round(self.duplicates_per_kill, 1),
            "lost": self.lost,
        }


def compare_kills(cluster: Cluster, *, tell: Callable[[str], None]) -> dict[str, Killed]:
    """Kill both contestants as often under the same load.

    Raises:
        RunError: a contestant ended by itself.
    """
    killed = {}
    for name, contestant in (("processor", Contestant.PROCESSOR), ("stock_faust", Contestant.STOCK_FAUST)):
        killed[name] = _killed(cluster, contestant)
        told = killed[name]
        tell(
            f"{name.replace('_', ' ')}: {told.kills} kills at {EVENTS_A_SECOND:,} events a second, "
            f"{told.duplicates_per_kill:.0f} records written twice a kill, {told.lost} of {told.events:,} events lost"
        )
    return killed


def _killed(cluster: Cluster, contestant: Contestant) -> Killed:
    chance = random.Random(7)
    with cluster.topic("raw") as raw, cluster.topic("records") as records, cluster.topic("letters") as letters:
        watermarks(cluster.bootstrap_servers, records)  # returns when every partition has its leader
        topics = Topics(raw=raw, records=records, dead_letters=letters)
        settings = {**_SETTINGS, "PIPELINE_PROCESSOR_GROUP": f"{raw}.killed"}
        with _load(cluster, raw) as load:
            for _ in range(KILLS):
                enough = cluster.written(records) + chance.randrange(2 * EVENTS_A_SECOND, 4 * EVENTS_A_SECOND)
                with Run(contestant, cluster, topics, messages=_MOST, settings=settings) as run:
                    _until_written(cluster, records, enough, run)
                    run.process.kill()
        with Run(contestant, cluster, topics, messages=_MOST, settings=settings) as run:
            _until_still(cluster, records, run)
        written = read_topic(cluster.bootstrap_servers, records)
    sources = {(dict(each.headers)["source-partition"], dict(each.headers)["source-offset"]) for each in written}
    return Killed(
        kills=KILLS, events=load.written, duplicates=len(written) - len(sources), lost=load.written - len(sources)
    )


class _Load:
    """Writes events at a steady rate until it is stopped."""

    def __init__(self) -> None:
        self.written = 0
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def write(self, cluster: Cluster, topic: str) -> None:
        pairs = events(_MOST)
        with Filler(cluster.bootstrap_servers, topic) as filler:
            while not self._stop.wait(_TICK_SECONDS):
                for _ in range(round(EVENTS_A_SECOND * _TICK_SECONDS)):
                    filler.put(*next(pairs))
                    self.written += 1


@contextmanager
def _load(cluster: Cluster, topic: str) -> Iterator[_Load]:
    load = _Load()
    thread = threading.Thread(target=load.write, args=(cluster, topic))
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join()


def _until_written(cluster: Cluster, records: str, enough: int, run: Run) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while cluster.written(records) < enough and time.monotonic() < deadline:
        run.ends(within_seconds=_POLL_SECONDS)


def _until_still(cluster: Cluster, records: str, run: Run) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    written, since = -1, time.monotonic()
    while time.monotonic() < min(deadline, since + _STILL_SECONDS):
        now = cluster.written(records)
        if now != written:
            written, since = now, time.monotonic()
        run.ends(within_seconds=_POLL_SECONDS)
