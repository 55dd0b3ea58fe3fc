"""Play a hostile operator input against the program, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.hostile.terminal import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.terminal import OperatorInput

ROOT: Final = Path(__file__).parents[2]
_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of it."""

    exit_code: int
    output: bytes
    errors: bytes

    def objections(self, given: OperatorInput) -> Iterator[str]:
        """Name what is not as the input says."""
        if self.exit_code not in given.exit_codes:
            yield f"exit code {self.exit_code}: {self.errors[-500:]!r}"
        printed = self.output + self.errors
        yield from (f"{each!r} appears" for each in given.must_not_appear if each in printed)
        yield from (f"{each!r} does not appear" for each in given.must_appear if each not in printed)


def write_files(given: OperatorInput, folder: Path) -> None:
    """Write the files of an input into the folder in which it is to be played."""
    for name, content in given.files.items():
        (folder / name).write_bytes(content)


def play(given: OperatorInput, folder: Path) -> Played:
    """Run the command line in an empty folder."""
    write_files(given, folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    command = [sys.executable, "-m", "pipeline", *given.argv]
    if given.output is Output.CLOSED:
        command = ["/bin/sh", "-c", 'exec "$0" "$@" >&-', *command]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=_stream(given.output),
        stderr=subprocess.PIPE,
    ) as process:
        output, errors = process.communicate(given.stdin, timeout=_SECONDS)
    return Played(exit_code=process.returncode, output=output or b"", errors=errors)


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
