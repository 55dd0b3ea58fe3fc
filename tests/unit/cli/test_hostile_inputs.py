from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import run
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
from tests.hostile.terminal_play import Played, play, write_files

if TYPE_CHECKING:
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
