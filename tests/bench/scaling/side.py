"""One side of a comparison: workers that drain one backlog after another."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.rates.cpu import cpu_seconds
from tests.bench.rates.stage import Stage
from tests.bench.traffic import Filler

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

    from tests.bench.cluster import Cluster
    from tests.bench.traffic import Written

PATIENT: Final = {"PIPELINE_SESSION_TIMEOUT_SECONDS": "120"}
"""Workers are stopped while their backlog is written, and must not lose their partitions because of that."""
DRAIN_SECONDS: Final = 180
_RESTORE_SECONDS: Final = 300


class Plan(NamedTuple):
    """The parts of a side. ``role`` is that of all workers."""

    name: str
    role: str
    workers: int
    partitions: int
    backlog: Sequence[Written]
    settings: Mapping[str, str]


class Side:
    """The workers of one side, ready and idle."""

    def __init__(self, plan: Plan, stage: Stage, workers: Sequence[subprocess.Popen[bytes]]) -> None:
        self.name = plan.name
        self._stage = stage
        self._workers = workers
        self._backlog = plan.backlog
        self._topic, self._group = (
            (stage.raw, stage.processor_group) if plan.role == "processor" else (stage.records, stage.sink_group)
        )
        self._written = 0

    def drain(self) -> float:
        """Write a backlog while the workers are stopped, let them drain it; return microseconds of CPU per event.

        Raises:
            RunError: a worker ended, or events are missing.
        """
        self._signal(signal.SIGSTOP)
        with Filler(self._stage.cluster.bootstrap_servers, self._topic) as filler:
            for each in self._backlog:
                filler.put(*each)
        self._written += len(self._backlog)
        before = self._cpu()
        self._signal(signal.SIGCONT)
        self._stage.until(
            lambda: self._stage.cluster.committed(self._group, self._topic) >= self._written,
            f"{self.name}: the backlog was not drained",
            *self._workers,
            within=DRAIN_SECONDS,
        )
        return (self._cpu() - before) / len(self._backlog) * 1e6

    def _cpu(self) -> float:
        return sum(cpu_seconds(each.pid) for each in self._workers)

    def _signal(self, number: signal.Signals) -> None:
        for each in self._workers:
            os.kill(each.pid, number)


@contextmanager
def side(cluster: Cluster, plan: Plan) -> Iterator[Side]:
    """Start the workers of a side; they end with the block.

    Raises:
        RunError: a worker did not become ready.
    """
    with Stage(cluster, partitions=plan.partitions, settings={**PATIENT, **plan.settings}) as stage:
        workers = stage.workers([plan.role] * plan.workers, within=_RESTORE_SECONDS)
        try:
            yield Side(plan, stage, workers)
        finally:
            for each in workers:
                if each.poll() is None:
                    os.kill(each.pid, signal.SIGCONT)  # a stopped worker would not receive SIGTERM
