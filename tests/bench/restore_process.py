"""One restore in a separate process: ``python -m tests.bench.restore_process BOOTSTRAP_SERVERS TOPIC PARTITIONS``.

Tracked users are restored as a worker does, while a status server is probed every few milliseconds; the result is
printed as one line of JSON. Python's garbage collector and malloc are configured as a worker configures them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.events import Handle
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import psutil
from prometheus_client import CollectorRegistry

from pipeline.kafka.connection import connection_options
from pipeline.runtime.allocation import keep_freed_memory, spare_the_collector
from pipeline.runtime.health import Health
from pipeline.runtime.leash import leashed
from pipeline.runtime.status_server import StatusServer
from pipeline.settings import load_settings
from tests.bench.tracked_marks import state_store_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.kafka.connection import ConnectionOptions

PROBE_SECONDS: Final = 0.005
_SAMPLE_SECONDS: Final = 0.1
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One restore. A step is one callback of the event loop, during which everything else waits."""

    users: int
    seconds: float
    cpu_seconds: float
    longest_step_ms: float
    longest_step_cpu_ms: float
    probes: int
    probe_p50_ms: float
    probe_p99_ms: float
    probe_longest_ms: float
    megabytes: float
    peak_megabytes: float

    @property
    def cpu_microseconds_per_user(self) -> float:
        return self.cpu_seconds / self.users * 1e6

    def __str__(self) -> str:
        return (
            f"{self.users:>10,} users restored in {self.seconds:.1f} s, "
            f"{self.cpu_microseconds_per_user:.2f} µs of CPU each; longest step {self.longest_step_ms:.0f} ms "
            f"({self.longest_step_cpu_ms:.0f} ms of CPU); {self.probes:,} probes answered, half within "
            f"{self.probe_p50_ms:.1f} ms, 99 % within {self.probe_p99_ms:.0f} ms, all within "
            f"{self.probe_longest_ms:.0f} ms; {self.megabytes:.0f} MB more, {self.peak_megabytes:.0f} MB at the peak"
        )


def connection_to(bootstrap_servers: str) -> ConnectionOptions:
    """Return how clients of the benchmark reach Kafka."""
    return connection_options(load_settings({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}))


class Steps:
    """The longest callback of the event loop, by wall clock and by the CPU of its thread, in milliseconds."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.longest_cpu_ms = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Measure every callback until the end of the block."""
        run = Handle._run
        clock, cpu_clock = time.perf_counter, time.thread_time

        def timed(handle: Handle) -> None:
            began, cpu = clock(), cpu_clock()
            run(handle)
            self.longest_ms = max(self.longest_ms, (clock() - began) * 1000)
            self.longest_cpu_ms = max(self.longest_cpu_ms, (cpu_clock() - cpu) * 1000)

        Handle._run = timed  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Handle._run = run  # type: ignore[method-assign]


async def _restore(bootstrap_servers: str, topic: str, partitions: int) -> Restored:
    connection = connection_to(bootstrap_servers)
    store = state_store_of(connection, topic)
    alive = Health(ok=True, detail="restoring")
    server = StatusServer(
        host="127.0.0.1", port=0, registry=CollectorRegistry(), liveness=lambda: alive, readiness=lambda: alive
    )
    await server.start()
    command = leashed([sys.executable, "-m", "tests.bench.probes", str(server.port), str(PROBE_SECONDS)])
    prober = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=2**26)
    assert prober.stdout is not None
    await prober.stdout.readline()
    process, steps = psutil.Process(), Steps()
    before = peak = process.memory_info().rss

    async def sample() -> None:
        nonlocal peak
        while True:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(_SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    with steps.watched():
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(store.restore, range(partitions)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    sampling.cancel()
    after = process.memory_info().rss
    prober.terminate()
    answers = json.loads(await prober.stdout.readline())
    await prober.wait()
    await server.stop()
    cuts = quantiles(answers, n=100, method="inclusive")
    return Restored(
        users=store.tracked_users(),
        seconds=seconds,
        cpu_seconds=cpu,
        longest_step_ms=steps.longest_ms,
        longest_step_cpu_ms=steps.longest_cpu_ms,
        probes=len(answers),
        probe_p50_ms=cuts[49],
        probe_p99_ms=cuts[98],
        probe_longest_ms=max(answers),
        megabytes=(after - before) / _MEGABYTE,
        peak_megabytes=(max(peak, after) - before) / _MEGABYTE,
    )


if __name__ == "__main__":
    servers, name, count = sys.argv[1:]
    spare_the_collector()
    keep_freed_memory()
    print(json.dumps(asdict(asyncio.run(_restore(servers, name, int(count))))))
