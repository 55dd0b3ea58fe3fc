"""Run hostile operator inputs: each is one run of the program, as a separate process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.hostile import terminal_play
from tests.hostile.operators import INPUTS, MOST_SECONDS, OperatorInput
from tests.hostile.planted import TRACEBACK
from tests.hostile.results import CaseResult
from tests.hostile.stage import as_they_end
from tests.hostile.terminal import OPERATOR_INPUTS
from tests.memory_bound import UNPACKED_BYTES, WORKER_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.hostile.terminal import OperatorInput as CommandLine

PART: Final = "operators"
_ALLOWED: Final = WORKER_BYTES + UNPACKED_BYTES
"""What docs/operate/capacity.md allows a worker that has no partition."""


async def play_operators(*, at_once: int, every: int = 1) -> AsyncGenerator[list[CaseResult]]:
    """Run the program on every `every`-th input, several at once; yield the result of each."""
    waiting = asyncio.Semaphore(at_once)

    async def one(play: Callable[[], CaseResult]) -> list[CaseResult]:
        async with waiting:
            return [await asyncio.to_thread(play)]

    runs = [lambda given=given: _play_input(given) for given in INPUTS[::every]]
    runs += [lambda given=given: _play_command(given) for given in OPERATOR_INPUTS[::every]]
    async for each in as_they_end(one(run) for run in runs):
        yield each


def _play_input(given: OperatorInput) -> CaseResult:
    """Run the program with hostile settings, files and arguments."""
    with tempfile.TemporaryDirectory(prefix="hostile-input-") as name:
        arguments, environment = given.prepare(Path(name))
        others = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
        variables = {**others, **environment, "PYTHONPATH": str(terminal_play.ROOT)}
        command, peak_bytes = [sys.executable, "-m", "pipeline", *arguments], 0
        try:
            played = terminal_play.run(command, variables, Path(name), seconds=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            faults = [f"it had not ended after {MOST_SECONDS:.0f} s"]
        else:
            faults = given.faults(played.exit_code, (played.output + played.errors).decode(errors="replace"))
            peak_bytes = played.peak_bytes
    return _result("settings and files", given.name, sorted(given.codes), faults, peak_bytes)


def _play_command(given: CommandLine) -> CaseResult:
    """Run a command whose output must not steer a terminal."""
    peak_bytes = 0
    with tempfile.TemporaryDirectory(prefix="hostile-command-") as name:
        try:
            played = terminal_play.play(given, Path(name))
        except subprocess.TimeoutExpired:
            faults = ["it had not ended in time"]
        else:
            faults, peak_bytes = list(played.objections(given)), played.peak_bytes
    return _result("command lines", given.name, sorted(given.exit_codes), faults, peak_bytes)


def _result(kind: str, name: str, codes: list[int], faults: list[str], peak_bytes: int) -> CaseResult:
    """Return the result of one run. Errors on the output count as leaks; the rest as faults."""
    leaks = [each for each in faults if each.startswith("printed: ") or each.endswith(" appears")]
    return CaseResult(
        part=PART,
        kind=kind,
        name=name.encode("ascii", "backslashreplace").decode()[:120],
        expected=f"exit code {' or '.join(map(str, codes))}",
        ends=sum(TRACEBACK[:9] in each for each in leaks),
        peak_bytes=peak_bytes,
        allowed_bytes=_ALLOWED,
        faults=[_shown(each) for each in faults if each not in leaks],
        leaks=[_shown(each) for each in leaks],
    )


def _shown(fault: str) -> str:
    return fault.encode("ascii", "backslashreplace").decode()[:200]
