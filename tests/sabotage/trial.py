"""Run tests in a process of their own, with or without a mistake, and report which of them failed."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.sabotage.mistake import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sabotage.mistake import Altered

PATIENCE_SECONDS: Final = 240.0
"""A trial that takes longer is stopped, though it may only wait for a core."""
MOST_CPU_SECONDS: Final = 60
"""A trial that uses more CPU time is stopped."""
MOST_BYTES: Final = 2 * 1024**3
"""The memory limit of a trial: an endless loop must not use up the machine's memory."""
_CPU: Final = "cpu"
_IMPORTED_ONCE: Final = [
    "tests.sabotage.trial",
    "aiohttp",
    "aiokafka",
    "faust.agents",
    "faust.app.base",
    "faust.tables.manager",
    "faust.transport.drivers.aiokafka",
    "hypothesis.strategies",
    "prometheus_client",
    "pydantic",
    "pytest_asyncio",
    "structlog.testing",
    "yarl",
    "pipeline.core.presets",
    "pipeline.core.processing",
    "pipeline.metrics.processor",
    "pipeline.metrics.delivery",
    "pipeline.metrics.stream",
    "pipeline.settings",
]
"""Imports that every trial inherits, since they take longer than most tests."""
_COMPILED: Final = ROOT / "build" / "compiled"
"""Where trials store what they compile, so that the next need not compile it again."""
_FORKS: Final = get_context("forkserver")
_FORKS.set_forkserver_preload(_IMPORTED_ONCE)


@dataclass(slots=True, kw_only=True)
class Seen:
    """The results of the tests of one trial. `broken`: the code could not be run unchanged.

    `cpu_seconds` are those of the process and its children; 0 if it was stopped.
    """

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    printed: str = ""
    in_time: bool = True

    def noticed_by(self, node_id: str) -> bool:
        """Return whether a test, or one case of it, failed."""
        return any(_is_of(each, node_id) for each in self.failed)

    def passes(self, node_id: str) -> bool:
        """Return whether a test passed, with all of its cases."""
        others = self.failed | self.broken
        return any(_is_of(each, node_id) for each in self.passed) and not any(_is_of(each, node_id) for each in others)


def trial(
    tests: Sequence[str],
    altered: Altered | None = None,
    *,
    stops_at_first: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
    most_cpu_seconds: int = MOST_CPU_SECONDS,
) -> Seen:
    """Run tests, by path or node id; all modules but the altered one are imported as they are."""
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        results, printed = Path(folder, "told"), Path(folder, "printed")
        arguments = ("--exitfirst", *tests) if stops_at_first else tuple(tests)
        process = _FORKS.Process(target=_run, args=(arguments, altered, str(results), str(printed), most_cpu_seconds))
        process.start()
        process.join(patience_seconds)
        in_time = not process.is_alive() and process.exitcode != -signal.SIGXCPU
        if process.is_alive():
            process.kill()
            process.join()
        seen = Seen(in_time=in_time, printed=printed.read_text("utf-8", "replace") if printed.exists() else "")
        for line in results.read_text("utf-8").splitlines() if results.exists() else ():
            outcome, _, said = line.partition(" ")
            if outcome == _CPU:
                seen.cpu_seconds = float(said)
            else:
                {"passed": seen.passed, "failed": seen.failed, "broken": seen.broken}[outcome].add(said)
    seen.seconds = time.monotonic() - started
    return seen


def _run(
    arguments: tuple[str, ...], altered: Altered | None, results: str, printed: str, most_cpu_seconds: int
) -> None:
    with Path(printed).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(ROOT)
    os.environ.pop("CI", None)  # with it pytest shows the whole difference of what is not equal, however long it takes
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (most_cpu_seconds, most_cpu_seconds + 1))
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(_COMPILED)
    if altered is not None:
        if altered.module in sys.modules:
            _forget_the_program()
        altered.import_from_now_on()
    gc.freeze()  # inherited objects stay; collecting them at the end would take longer than most tests
    without = ("-p", "no:cacheprovider", "-p", "no:anyio")  # nothing of anyio is used, and it is slow to import
    options = ("-q", "--tb=short", *without, "-W", "ignore::pytest.PytestAssertRewriteWarning")
    with Path(results).open("w", encoding="utf-8", buffering=1) as file:
        code = pytest.main([*options, *arguments], plugins=[_Telling(file)])
        file.write(f"{_CPU} {_cpu_seconds()}\n")
    sys.stdout.flush()
    os._exit(int(code))  # what a test left behind must not keep the process alive


def _forget_the_program() -> None:
    """Remove the program's modules, so that a trial that alters an inherited one imports them again."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"pipeline", "tests"}]:
        del sys.modules[name]


def _cpu_seconds() -> float:
    """Return the CPU time of this process and its children; a fork starts at 0."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class _Telling:
    """Records the result of each test."""

    def __init__(self, file: Any) -> None:
        self._file = file

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = (yield).get_result()
        if report.failed:
            is_broken = call.excinfo is not None and call.excinfo.errisinstance((NameError, SyntaxError))
            self._tell("broken" if is_broken else "failed", item.nodeid)
        elif report.passed and report.when == "call":
            self._tell("passed", item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell("broken", report.nodeid)

    def _tell(self, outcome: str, node_id: str) -> None:
        self._file.write(f"{outcome} {node_id}\n")


def _is_of(case: str, node_id: str) -> bool:
    return case == node_id or case.startswith(f"{node_id}[")
