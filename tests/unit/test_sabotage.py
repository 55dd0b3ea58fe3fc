from __future__ import annotations

import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.core.kinds import Kind
from tests.sabotage import __main__ as program
from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.mistake import ROOT, Altered, Sabotage
from tests.sabotage.trial import trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "kafka/partitioner.py"


@pytest.fixture
def imports() -> Iterator[None]:
    before = sys.meta_path[:]
    yield
    sys.meta_path[:] = before


def test_every_mistake_has_a_name_of_its_own_and_a_test() -> None:
    counts = Counter((each.file, each.name) for each in SABOTAGES)
    assert [name for name, count in counts.items() if count > 1] == []
    assert [each.name for each in SABOTAGES if not each.tests] == []


def test_every_mistake_can_be_made() -> None:
    for each in SABOTAGES:
        compile(each.applied().text, each.file, "exec")


def test_every_test_that_is_named_is_one_of_make_unit() -> None:
    for test in {test for each in SABOTAGES for test in each.tests}:
        path, _, name = test.partition("[")[0].partition("::")
        assert path.startswith(("unit/", "properties/"))
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("old", ["there is no such text", "import"])
def test_a_text_that_does_not_stand_in_its_file_once_is_no_mistake(old: str) -> None:
    sabotage = Sabotage(name="none", file=FILE, old=old, new="", tests=())
    with pytest.raises(LookupError, match=rf"`{old}` occurs \d+ times in pipeline/{FILE}, not once"):
        sabotage.applied()


@pytest.mark.usefixtures("imports")
def test_an_altered_module_is_imported_with_its_text_and_its_file_stays() -> None:
    file = ROOT / "pipeline" / "__main__.py"  # which no test imports
    before = file.read_text(encoding="utf-8")
    altered = Altered(file=file.name, text="FOUND = __file__")
    altered.import_from_now_on()
    module = __import__(altered.module, fromlist=["FOUND"])
    del sys.modules[altered.module]
    assert str(file) == module.FOUND
    assert file.read_text(encoding="utf-8") == before


@pytest.mark.usefixtures("imports")
def test_a_module_that_is_imported_already_cannot_be_altered() -> None:
    assert Kind.__module__ == Altered(file="core/kinds.py", text="").module
    with pytest.raises(RuntimeError, match="imported already"):
        Altered(file="core/kinds.py", text="").import_from_now_on()


def run_list(
    mistakes: list[Sabotage], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    monkeypatch.setattr(program, "SABOTAGES", mistakes)
    return program.main([]), capsys.readouterr().out


def distance(name: str, new: str, test: str = "test_requests_keep_their_distance") -> Sabotage:
    """Return a mistake in the distance of requests, and a test that may notice it."""
    old = "max(self._requests_due, now) + self._seconds_a_request"
    return Sabotage(
        name=name, file="delivery/pace.py", old=old, new=new, tests=(f"unit/delivery/test_pace.py::{test}",)
    )


def test_a_list_of_mistakes_that_are_noticed_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = run_list([distance("no distance", "now")], monkeypatch, capsys)
    assert code == 0
    assert "noticed" in printed
    assert re.fullmatch(
        r"All 1 mistakes are noticed, \d+ s; \d+ s of CPU time on each of 2 cores \(limit 120 s\)",
        printed.splitlines()[-1],
    )


def test_a_list_that_uses_more_cpu_than_its_limit_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "MOST_SECONDS", 0.0)
    code, printed = run_list([distance("no distance", "now")], monkeypatch, capsys)
    assert code == 1
    assert "the list takes longer than its limit" in printed
    assert printed.splitlines()[-1].startswith("FAILED: 1 problems with 1 mistakes, ")


def test_a_trial_counts_the_cpu_of_its_tests_and_no_wait(tmp_path: Path) -> None:
    waiting, computing = tmp_path / "test_waiting.py", tmp_path / "test_computing.py"
    waiting.write_text("import time\ndef test_it():\n    time.sleep(1)\n", encoding="utf-8")
    computing.write_text(
        "import time\ndef test_it():\n    while time.process_time() < 1.0:\n        pass\n", encoding="utf-8"
    )
    seen = trial([str(waiting)])
    assert seen.cpu_seconds < seen.seconds - 0.9
    assert trial([str(computing)]).cpu_seconds >= 1.0


@pytest.mark.parametrize(
    ("line", "limit"), [("pass", {"most_cpu_seconds": 1}), ("time.sleep(1)", {"patience_seconds": 2})]
)
def test_a_trial_that_does_not_end_is_stopped(line: str, limit: dict[str, Any], tmp_path: Path) -> None:
    endless = tmp_path / "test_endless.py"
    endless.write_text(f"import time\ndef test_it():\n    while True:\n        {line}\n", encoding="utf-8")
    assert not trial([str(endless)], **limit).in_time


def test_a_list_fails_with_each_mistake_that_is_not_noticed_as_it_must_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "max(self._requests_due, now) + self._seconds_a_request"
    mistakes = [
        distance("none", old),
        distance("broken", "no_such_name"),
        distance("never run", "now", "test_that_does_not_exist"),
    ]
    code, printed = run_list(mistakes, monkeypatch, capsys)
    assert code == 1
    assert "none: tests/unit/delivery/test_pace.py::test_requests_keep_their_distance passes" in printed
    assert "broken: the code cannot be run with it" in printed
    assert "test_that_does_not_exist does not pass without a mistake" in printed
    assert printed.splitlines()[-1].startswith("FAILED: ")
