from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import run
from tests.hostile.operators import INPUTS, MOST_SECONDS, OperatorInput

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

STARTS = [given for given in INPUTS if given.codes == frozenset({1})]
"""Workers that start, each in a separate process."""
ENDS = [given for given in INPUTS if given not in STARTS]
PROCESSES = [*ENDS[:: len(ENDS) // 12], *STARTS]


def test_there_are_a_hundred_of_different_names() -> None:
    assert len({each.name for each in INPUTS}) == len(INPUTS) >= 100


@pytest.mark.parametrize("given", ENDS, ids=lambda given: given.name)
def test_a_hostile_input_is_a_mistake_or_has_a_result(
    given: OperatorInput, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, environment = given.prepare(tmp_path)
    code = run(arguments, environment)
    assert given.faults(code, "".join(capfd.readouterr())) == []


@pytest.mark.parametrize("given", PROCESSES, ids=lambda given: given.name)
def test_a_process_ends_as_the_program_does(given: OperatorInput, tmp_path: Path) -> None:
    arguments, environment = given.prepare(tmp_path)
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**others, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=MOST_SECONDS,
    )
    assert given.faults(ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")) == []
