from __future__ import annotations

from typing import Any

import pytest

from tests.mutants.harmless import HARMLESS, Harmless, judged
from tests.mutants.modules import MODULES
from tests.sabotage.mistake import ROOT, path_of


@pytest.mark.parametrize("name", list(MODULES))
def test_every_module_and_its_tests_are_there(name: str) -> None:
    module = MODULES[name]
    assert path_of(module.file).is_file()
    assert [test for test in module.tests if not (ROOT / test).is_file()] == []


@pytest.mark.parametrize("name", list(HARMLESS))
def test_what_is_called_harmless_is_about_a_line_that_is_still_there(name: str) -> None:
    text = " ".join(path_of(MODULES[name].file).read_text(encoding="utf-8").split())
    assert [each.removed for each in HARMLESS[name] if each.removed not in text] == []


class FakeMutant:
    def __init__(self, removed: str, added: str) -> None:
        self.removed = removed
        self.added = added


def test_a_survivor_is_judged_where_its_line_and_its_change_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Any = FakeMutant("a = 0", "a = 1")
    other: Any = FakeMutant("a = 0", "pass")
    anything: Any = FakeMutant("b = 4", "b = 5")
    gone = Harmless(removed="c = 0", reason="gone")
    judgements = (
        Harmless(removed="a = 0", added="a = 1", reason="same"),
        Harmless(removed="b = 4", reason="any"),
        gone,
    )
    monkeypatch.setitem(HARMLESS, "ledger", judgements)
    assert judged("ledger", [known, other, anything]) == ([other], [gone])
    again: Any = FakeMutant("a = 0", "a = 1")
    assert judged("ledger", [known, again, anything])[0] == [known, again], "one of them only was judged"
