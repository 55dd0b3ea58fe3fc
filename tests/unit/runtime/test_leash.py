from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.runtime.leash import leashed

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the leash is Linux's parent death signal")


def test_the_program_gets_its_arguments_and_its_exit_code_comes_back() -> None:
    run = subprocess.run(leashed([sys.executable, "-c", "import sys; sys.exit(len(sys.argv))", "a", "b"]), check=False)
    assert run.returncode == 3


def test_the_process_id_is_the_programs_own() -> None:
    command = leashed([sys.executable, "-c", "import os; print(os.getpid())"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate()
        assert int(said) == process.pid


@linux_only
def test_the_program_dies_when_its_parent_is_killed() -> None:
    parent = (
        "import subprocess, sys;"
        "from pipeline.runtime.leash import leashed;"
        "subprocess.Popen(leashed([sys.executable, '-c', 'print(1, flush=True); input()']), stdin=subprocess.PIPE);"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        process.kill()
        assert process.stdout.read() == b""


@linux_only
def test_a_leash_whose_holder_is_gone_starts_nothing() -> None:
    command = leashed([sys.executable, "-c", "print('started')"])
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, check=False, capture_output=True).stdout == b""
