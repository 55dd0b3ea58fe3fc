from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import run
from pipeline.core.visible import visible
from tests.hostile.terminal import (
    CHECKED,
    COUNTED,
    EXPLAINED,
    OPERATOR_INPUTS,
    OPTIONS,
    STEERING,
    STREAMS,
    OperatorInput,
    Output,
)
from tests.hostile.terminal_play import ROOT, Played, play, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

AS_PROCESSES = (*STREAMS, EXPLAINED[0], CHECKED[1], CHECKED[6], COUNTED[4], OPTIONS[0], COUNTED[-1])


def _named(given: OperatorInput) -> str:
    return given.name


def _objections(given: OperatorInput, played: Played) -> list[str]:
    return list(played.objections(given))


@pytest.mark.parametrize("given", [each for each in OPERATOR_INPUTS if each not in AS_PROCESSES], ids=_named)
def test_no_input_of_an_operator_steers_the_terminal_or_ends_in_a_traceback(
    given: OperatorInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(given, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.stdin)))
    assert given.output is Output.READ
    code = run(given.argv, {})
    told = capsys.readouterr()
    played = Played(exit_code=code, output=told.out.encode(), errors=told.err.encode())
    assert _objections(given, played) == []


@pytest.mark.parametrize("given", AS_PROCESSES, ids=_named)
def test_the_same_holds_for_a_process_and_for_streams_that_fail(given: OperatorInput, tmp_path: Path) -> None:
    assert _objections(given, play(given, tmp_path)) == []


def test_a_page_on_a_full_disk_names_its_cause(tmp_path: Path) -> None:
    (given,) = (each for each in COUNTED if each.name == "what-if: a page on a full disk")
    assert play(given, tmp_path).errors == b"Error: /dev/full cannot be written: No space left on device.\n"


def test_the_inputs_are_many_and_have_names_of_their_own() -> None:
    names = [given.name for given in OPERATOR_INPUTS]
    assert len(names) == len(set(names)) >= 100
    assert all(name.isprintable() for name in names)


@pytest.mark.parametrize("printed", STEERING)
def test_what_steers_a_terminal_would_be_noticed(printed: bytes) -> None:
    given = OPERATOR_INPUTS[0]
    assert _objections(given, Played(exit_code=0, output=b"\\u001b]52" + printed, errors=b""))


@pytest.mark.parametrize("given", COUNTED[:3], ids=_named)
def test_on_a_terminal_the_sequences_are_those_of_the_tables_alone(given: OperatorInput, tmp_path: Path) -> None:
    write_files(given, tmp_path)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "pipeline", *given.argv]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        printed = b"".join(_chunks(ours)).decode()
    os.close(ours)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[2K|\x1b\[1A|\r", "", printed)
    assert plain != printed
    assert [line for line in plain.split("\n") if line != visible(line)] == []


def _chunks(terminal: int) -> Iterator[bytes]:
    """Read until the other end is closed, which is an error on a terminal."""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            yield chunk
