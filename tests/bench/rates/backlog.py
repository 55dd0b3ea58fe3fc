"""A backlog that both the hand-written contestant and the processor drain; its result is the machine's `scale`."""

from __future__ import annotations

from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.bench.rates.figures import BacklogRound, scale_of
from tests.bench.rates.stage import PARTITIONS
from tests.bench.runs import Contestant, Run, Topics
from tests.bench.traffic import events, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.cluster import Cluster
    from tests.bench.meter import Measured

SCALE_EVENTS: Final = 100_000
SCALE_ROUNDS: Final = 3


@contextmanager
def backlog_rounds(cluster: Cluster, count: int) -> Iterator[Callable[[], BacklogRound]]:
    """Write a backlog once; each call of the result drains it with both contestants."""
    with _backlog(cluster, count) as drained:
        yield lambda: BacklogRound(handwritten=drained(Contestant.HANDWRITTEN), processor=drained(Contestant.PROCESSOR))


def measure_scale(cluster: Cluster) -> float:
    """Return how many times slower than an idle reference machine this one is; at least 1.

    Raises:
        RunError: the hand-written contestant failed.
    """
    with _backlog(cluster, SCALE_EVENTS) as drained:
        rounds = [drained(Contestant.HANDWRITTEN) for _ in range(SCALE_ROUNDS)]
    return scale_of(median(each.cpu_microseconds_per_message for each in rounds))


@contextmanager
def _backlog(cluster: Cluster, count: int) -> Iterator[Callable[[Contestant], Measured]]:
    def drained(contestant: Contestant) -> Measured:
        with cluster.topic("out", partitions=PARTITIONS) as records, cluster.topic("letters") as letters:
            topics = Topics(raw=raw, records=records, dead_letters=letters)
            with Run(contestant, cluster, topics, messages=count) as run:
                return run.measured()

    with cluster.topic("backlog", partitions=PARTITIONS) as raw:
        fill(cluster.bootstrap_servers, raw, events(count))
        yield drained
