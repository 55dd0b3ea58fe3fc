from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hostile.peak_memory import peak_of, watched
from tests.hostile.terminal_play import run

if TYPE_CHECKING:
    from pathlib import Path

MOST = 100_000_000
GREEDY = f"given = input(); held = b'x' * {MOST}; del held; print(given, flush=True); input()"


def test_the_most_that_a_process_had_is_known_though_it_has_given_it_back() -> None:
    command = [sys.executable, "-c", GREEDY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = peak_of(process.pid)
        assert 0 < before < MOST
        with watched(process.pid) as peak:
            process.stdin.write(b"go\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"go\n"
        assert peak.bytes > MOST
        process.stdin.write(b"\n")
    assert peak_of(process.pid) == 0


def test_the_peak_memory_of_a_command_is_returned_with_its_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"{GREEDY[:-9]}; raise SystemExit(3)"]
    played = run(command, {}, tmp_path, b"done\n")
    assert (played.exit_code, played.output, played.errors) == (3, b"done\n", b"")
    assert played.peak_bytes > 0


def test_a_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", "while True: pass"], {}, tmp_path, seconds=0.2)
