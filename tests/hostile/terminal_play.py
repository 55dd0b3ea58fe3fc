"""Run the program with a hostile operator input, as a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.hostile.peak_memory import watched
from tests.hostile.terminal import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.hostile.terminal import OperatorInput

ROOT: Final = Path(__file__).parents[2]
_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The result of a run, and its peak memory."""

    exit_code: int
    output: bytes
    errors: bytes
    peak_bytes: int = 0

    def objections(self, given: OperatorInput) -> Iterator[str]:
        """Return how the result deviates from what the input allows."""
        if self.exit_code not in given.exit_codes:
            yield f"exit code {self.exit_code}: {self.errors[-500:]!r}"
        printed = self.output + self.errors
        yield from (f"{each!r} appears" for each in given.must_not_appear if each in printed)
        yield from (f"{each!r} does not appear" for each in given.must_appear if each not in printed)


def write_files(given: OperatorInput, folder: Path) -> None:
    """Write the files of an input into the folder in which it is run."""
    for name, content in given.files.items():
        (folder / name).write_bytes(content)


def play(given: OperatorInput, folder: Path) -> Played:
    """Run the command line in an empty folder."""
    write_files(given, folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    command = [sys.executable, "-m", "pipeline", *given.argv]
    if given.output is Output.CLOSED:
        command = ["/bin/sh", "-c", 'exec "$0" "$@" >&-', *command]
    return run(command, environment | {"PYTHONPATH": str(ROOT)}, folder, given.stdin, stdout=_stream(given.output))


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    given: bytes = b"",
    *,
    stdout: int = subprocess.PIPE,
    seconds: float = _SECONDS,
) -> Played:
    """Run a command to its end, with an input, and poll its memory.

    Raises:
        TimeoutExpired: it had not ended in time; then it is killed.
    """
    with (
        subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE
        ) as process,
        watched(process.pid) as peak,
    ):
        try:
            output, errors = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Played(exit_code=process.returncode, output=output or b"", errors=errors, peak_bytes=peak.bytes)


def _stream(output: Output) -> int:
    match output:
        case Output.READ | Output.CLOSED:
            return subprocess.PIPE
        case Output.FULL:
            return os.open("/dev/full", os.O_WRONLY)
        case Output.GONE:
            reader, writer = os.pipe()
            os.close(reader)
            return writer
