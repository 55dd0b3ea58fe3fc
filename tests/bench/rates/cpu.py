"""The CPU of whole processes over a window, part by part."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

from tests.bench.runs import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CPUCLOCK_SCHED: Final = 2  # linux/posix-timers.h


def cpu_seconds(process_id: int) -> float:
    """Return the CPU time of a process, including all of its threads, also ended ones.

    On Linux it is read from the process's CPU clock, which counts nanoseconds; /proc counts hundredths of a second.
    """
    if platform.system() == "Linux":
        return time.clock_gettime((~process_id << 3) | _CPUCLOCK_SCHED)  # clock_getcpuclockid(3)
    times = psutil.Process(process_id).cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a window: its duration, and the CPU seconds of each process during it."""

    seconds: float
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The CPU time of processes between two times, in seconds since the epoch."""

    began: float
    ended: float
    parts: Sequence[Part]

    def cores(self, process: str) -> float:
        """Return the cores that a process used: the median of the parts, which excludes a burst of another program."""
        return median(part.cpu[process] / part.seconds for part in self.parts)

    def mean_cores(self, process: str) -> float:
        """Return the cores that a process used, over all parts."""
        return sum(part.cpu[process] for part in self.parts) / sum(part.seconds for part in self.parts)

    def microseconds(self, process: str, rate: int) -> float:
        """Return the CPU per event, in the median part."""
        return self.cores(process) / rate * 1e6

    def mean_microseconds(self, process: str, rate: int) -> float:
        """Return the CPU per event, over all parts."""
        return self.mean_cores(process) / rate * 1e6


def watch(
    processes: Mapping[str, int],
    *,
    warm: float,
    parts: int,
    part_seconds: float,
    read: Callable[[int], float] = cpu_seconds,
) -> Window:
    """Wait while processes warm up, then read their CPU for some parts of a window.

    Raises:
        RunError: a process ended meanwhile.
    """
    time.sleep(warm)
    began = time.time()
    readings = [_reading(processes, read)]
    for _ in range(parts):
        time.sleep(part_seconds)
        readings.append(_reading(processes, read))
    return Window(
        began=began,
        ended=time.time(),
        parts=[
            Part(seconds=later[0] - earlier[0], cpu={name: later[1][name] - earlier[1][name] for name in processes})
            for earlier, later in pairwise(readings)
        ],
    )


def _reading(processes: Mapping[str, int], read: Callable[[int], float]) -> tuple[float, dict[str, float]]:
    try:
        return time.monotonic(), {name: read(process_id) for name, process_id in processes.items()}
    except (OSError, psutil.Error) as error:
        raise RunError(f"a contestant ended in the middle of its window: {', '.join(processes)}") from error
