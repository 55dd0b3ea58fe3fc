"""Start workers on topics that have messages, kill them repeatedly, and measure the parts of each start."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from tests.bench.destination_process import light_destination
from tests.bench.rates.stage import Stage, stop
from tests.bench.runs import RunError
from tests.bench.starts.imports import by_library, import_times, importers, library_figures
from tests.bench.starts.parts import MARKS, TOTAL, assigned_at, medians, parts_of
from tests.bench.traffic import events, fill, fill_records
from tests.loopback import free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.cluster import Cluster
    from tests.bench.starts.imports import Imported

ROLES: Final = ("processor", "segment-sink")
STARTS: Final = 5
KILLS: Final = 3
EVENTS: Final = 1_000
MOST_LIBRARIES: Final = 20
_SETTLE_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Seconds of each part: of cold starts, and after a kill, by role; and the modules that a worker imports."""

    cold: Mapping[str, Sequence[Mapping[str, float]]]
    killed: Mapping[str, Sequence[Mapping[str, float]]]
    modules: Sequence[Imported]

    def figures(self) -> dict[str, Any]:
        """Return the figures as the report shows them: medians in seconds, imports in milliseconds."""
        return {
            "cold_seconds": {role: _rounded(medians(found)) for role, found in self.cold.items()},
            "kill_seconds": {role: _rounded(medians(found)) for role, found in self.killed.items()},
            "imports_ms": dict(library_figures(self.modules, most=MOST_LIBRARIES)),
        }


def measure_starts(cluster: Cluster, *, starts: int, kills: int, tell: Callable[[str], None]) -> Starts:
    """Measure everything.

    Raises:
        RunError: a worker did not settle anything.
    """
    cold: dict[str, list[dict[str, float]]] = {}
    killed: dict[str, list[dict[str, float]]] = {}
    with light_destination() as destination:
        for role in ROLES:
            cold[role] = [_cold(cluster, role, destination) for _ in range(starts)]
            tell(f"{role}, cold: {_text(medians(cold[role]))}")
            killed[role] = _killed(cluster, role, destination, kills)
            tell(f"{role}, after a kill: {_text(medians(killed[role]))}")
    return Starts(cold=cold, killed=killed, modules=import_times())


def starts_tables(starts: Starts) -> list[Table]:
    """Build tables of the parts by role, and of the imports by library."""
    parts = Table("seconds", *(f"{role}, {how}" for role in starts.cold for how in ("cold", "after a kill")))
    for name in (*MARKS, TOTAL):
        cells = [f"{medians(found[role])[name]:.2f}" for role in starts.cold for found in (starts.cold, starts.killed)]
        parts.add_row(MARKS.get(name, name), *cells)
    first = importers(starts.modules)
    libraries = Table("library", "ms", "first imported by")
    for library, own_us in list(by_library(starts.modules).items())[:MOST_LIBRARIES]:
        libraries.add_row(library, f"{own_us / 1000:.1f}", first.get(library, ""))
    return [parts, libraries]


def _cold(cluster: Cluster, role: str, destination: Mapping[str, str]) -> dict[str, float]:
    with Stage(cluster, settings=destination) as stage:
        _fill(stage, role)
        began, process = _start(stage, role, "worker")
        return _parts(stage, "worker", began, process)


def _killed(cluster: Cluster, role: str, destination: Mapping[str, str], kills: int) -> list[dict[str, float]]:
    """Kill a worker that has messages to process, start its successor at once, and repeat."""
    found = []
    with Stage(cluster, settings=destination) as stage:
        _fill(stage, role)
        began, process = _start(stage, role, "worker-0")
        _parts(stage, "worker-0", began, process)
        for number in range(1, kills + 1):
            killed_at = time.time()
            process.kill()
            process.wait()
            _fill(stage, role)
            _, process = _start(stage, role, f"worker-{number}")
            found.append(_parts(stage, f"worker-{number}", killed_at, process))
        stop(process)
    return found


def _fill(stage: Stage, role: str) -> None:
    write, topic = (fill, stage.raw) if role == "processor" else (fill_records, stage.records)
    write(stage.cluster.bootstrap_servers, topic, events(EVENTS))


def _start(stage: Stage, role: str, name: str) -> tuple[float, subprocess.Popen[bytes]]:
    (port,) = free_ports(1)
    began = time.time()
    process = stage.start(
        name,
        "tests.bench.contestants.marked",
        str(stage.report(name)),
        role,
        settings={"PIPELINE_HTTP_PORT": str(port)},
    )
    return began, process


def _parts(stage: Stage, name: str, began: float, process: subprocess.Popen[bytes]) -> dict[str, float]:
    report = stage.report(name)
    stage.until(report.exists, f"{name} settled nothing", process, within=_SETTLE_SECONDS)
    assigned = assigned_at(stage.log(name))
    if assigned is None:
        raise RunError(f"{name} settled messages, but its log names no partitions:\n{stage.logs()}")
    return parts_of(began, {**json.loads(report.read_text()), "assigned": assigned})


def _rounded(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds, 3) for name, seconds in parts.items()}


def _text(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{MARKS.get(name, name)} {seconds:.2f} s" for name, seconds in parts.items())
