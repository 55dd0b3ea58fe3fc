"""The cost of a worker's imports, by the library they belong to: parsed from `python -X importtime`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.runs import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IMPORTED: Final = "from pipeline.cli import main, worker; worker.import_structlog_alone(); import pipeline.bootstrap"
_ROW: Final = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)")
_SECONDS: Final = 120


class Imported(NamedTuple):
    """One module: the time of the code in it, the time including all that it imported first, and its importer."""

    name: str
    own_us: int
    all_us: int
    importer: str | None


def read_import_times(output: str) -> list[Imported]:
    """Parse the rows of `-X importtime`, where a module follows what it imports and is indented less."""
    rows = [(found[4], int(found[1]), int(found[2]), len(found[3])) for found in _ROW.finditer(output)]
    modules: list[Imported] = []
    open_importers: list[tuple[int, str]] = []
    for name, own, together, depth in reversed(rows):
        while open_importers and open_importers[-1][0] >= depth:
            open_importers.pop()
        modules.append(Imported(name, own, together, open_importers[-1][1] if open_importers else None))
        open_importers.append((depth, name))
    return modules[::-1]


def by_library(modules: Iterable[Imported]) -> dict[str, int]:
    """Return the total own time of each library's modules in microseconds, the largest first."""
    found: defaultdict[str, int] = defaultdict(int)
    for module in modules:
        found[_library(module.name)] += module.own_us
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def importers(modules: Iterable[Imported]) -> dict[str, str]:
    """Return the first importer of each library other than the pipeline itself."""
    found: dict[str, str] = {}
    for module in modules:
        library = _library(module.name)
        if module.importer is not None and _library(module.importer) != library:
            found.setdefault(library, module.importer)
    return found


def import_times(rounds: int = 3) -> list[Imported]:
    """Measure the imports of a worker; the fastest of several rounds counts.

    Raises:
        RunError: the imports failed.
    """
    return min((_measured() for _ in range(rounds)), key=lambda modules: sum(each.own_us for each in modules))


def _measured() -> list[Imported]:
    command = [sys.executable, "-X", "importtime", "-c", IMPORTED]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if run.returncode:
        raise RunError(f"the imports failed:\n{run.stderr[-2_000:]}")
    return read_import_times(run.stderr)


def _library(module: str) -> str:
    return module.split(".", 1)[0].lstrip("_")


def library_figures(modules: Iterable[Imported], *, most: int) -> Mapping[str, float]:
    """Return milliseconds by library, as the report shows them."""
    found = by_library(modules)
    return {name: round(own_us / 1000, 1) for name, own_us in list(found.items())[:most]}
