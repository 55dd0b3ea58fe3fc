from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import suite
from tests.suite import Step

if TYPE_CHECKING:
    from pathlib import Path


def test_a_busy_machine_fails_no_property() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None


LATE = "import sys, time; sys.stdout.buffer.write(b'\\xc3'); sys.stdout.flush(); time.sleep(.7); print('\\xa9 late')"


def step(title: str, code: str, *, begins_with: str | None = None, only_in_ci: bool = False) -> Step:
    command = (sys.executable, "-X", "utf8=0", "-c", code)
    return Step(title=title, command=command, begins_with=begins_with, only_in_ci=only_in_ci)


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    return monkeypatch


def test_a_step_that_runs_in_parallel_is_shown_whole_at_its_turn(
    where: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    steps = step("one", "print('first')"), step("two", "print('second')"), step("late", LATE, begins_with="one")
    where.setattr(suite, "STEPS", steps)
    assert suite.main() == 0
    printed = capfd.readouterr().out
    positions = [printed.index(text) for text in ("running in parallel", "first", "second", "== late ==", "é late")]
    assert positions == sorted(positions)
    assert printed.endswith("\nAll steps passed.\n")


def test_what_fails_is_named_and_the_others_are_run(
    where: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fails = step("fails", "raise SystemExit(3)"), step("beside", "raise SystemExit(4)", begins_with="fails")
    where.setattr(suite, "STEPS", (*fails, step("good", "print('all the same')")))
    assert suite.main() == 1
    printed = capfd.readouterr().out
    assert "all the same" in printed
    assert printed.endswith("\nFAILED: fails, beside\n")


@pytest.mark.parametrize("ci", ["", "true"])
def test_slow_steps_run_only_in_ci(ci: str, where: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    where.setenv("CI", ci)
    where.setattr(suite, "STEPS", (step("one", "pass"), step("long", "pass", begins_with="one", only_in_ci=True)))
    assert suite.main() == 0
    assert ("long" in capfd.readouterr().out) is bool(ci)


@pytest.mark.parametrize(("ci", "verdict"), [("", "NOT RUN"), ("true", "FAILED")])
def test_a_step_whose_program_is_not_installed_is_not_run_and_fails_in_ci(
    ci: str, verdict: str, where: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lacking = replace(step("with a browser", "print('started')"), needs_program="no-such-program")
    where.setenv("CI", ci)
    where.setattr(suite, "STEPS", (step("one", "pass"), lacking))
    assert suite.main() == int(bool(ci))
    printed = capfd.readouterr().out
    assert "no-such-program is not installed" in printed
    assert "started" not in printed
    assert verdict in printed
