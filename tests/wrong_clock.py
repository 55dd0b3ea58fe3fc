"""A child process with a wrong clock: its time is shifted by an offset that can be changed while it runs.

A small preloaded library adds the offset to the clocks of the date, and to no others. It is compiled with the system's
`cc` on first use. Without a compiler, a `sitecustomize` shifts the clocks of Python programs only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.kafka_program import cache_directory

__all__ = ["WrongClock"]

SOURCES: Final = Path(__file__).parent / "clock_shim"
OFFSET_FILE: Final = "WRONG_CLOCK_OFFSET_FILE"
_COMPILE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class WrongClock:
    """The clock of processes that run with `environment`; `offset_file` is a path in a folder of the test."""

    offset_file: Path

    def set(self, offset_seconds: float) -> None:
        """Change the offset; processes use it the next time they read the clock. Positive is ahead of the real time."""
        fresh = self.offset_file.with_suffix(".fresh")
        fresh.write_text(f"{offset_seconds:.3f}\n", encoding="ascii")
        fresh.replace(self.offset_file)

    def environment(self, offset_seconds: float = 0.0, *, compiler: str | None = "cc") -> dict[str, str]:
        """Set the clock, and return the environment variables to add for a child process.

        If `compiler` is None or not installed, only Python programs see the wrong time.
        """
        self.set(offset_seconds)
        found = None if compiler is None else shutil.which(compiler)
        if found is not None:
            return {OFFSET_FILE: str(self.offset_file), "LD_PRELOAD": _joined("LD_PRELOAD", _library(found))}
        return {OFFSET_FILE: str(self.offset_file), "PYTHONPATH": _joined("PYTHONPATH", SOURCES)}


def _joined(variable: str, first: Path) -> str:
    before = os.environ.get(variable)
    return f"{first}:{before}" if before else str(first)


def _library(compiler: str) -> Path:
    """Return the compiled library; it is compiled once for each version of its source."""
    source = SOURCES / "clock_shim.c"
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    library = cache_directory() / f"clock-shim-{version}.so"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compiling-", dir=library.parent) as name:
        made = Path(name) / library.name
        command = [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"]
        subprocess.run(command, check=True, timeout=_COMPILE_SECONDS)
        with suppress(OSError):  # another run was first: its file is complete
            made.rename(library)
    return library
