from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.core import processing
from tests.bench.versions import WORKING_TREE, VersionError, load_version, tree_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "pipeline").mkdir()
    shutil.copy(WORKING_TREE / "pipeline" / "__init__.py", tmp_path / "pipeline")
    shutil.copytree(WORKING_TREE / "pipeline" / "core", tmp_path / "pipeline" / "core")
    return tmp_path


def test_two_versions_live_side_by_side(copy: Path) -> None:
    before, now = load_version(copy), load_version(WORKING_TREE)
    assert before.find("core.outcomes", "Deliver") is not now.find("core.outcomes", "Deliver")
    assert before.modules.keys() == now.modules.keys()
    for name, module in before.modules.items():
        assert module is not now.modules[name]
        assert (module.__file__ or "").startswith(str(copy))


def test_what_was_imported_before_stays_as_it_is(copy: Path) -> None:
    known, path = dict(sys.modules), list(sys.path)
    loaded = load_version(copy)
    assert sys.modules["pipeline.core.processing"] is processing
    assert loaded.find("core.processing", "process") is not processing.process
    assert {name for name in sys.modules if name.startswith("pipeline")} == {
        name for name in known if name.startswith("pipeline")
    }
    assert sys.path == path


def test_the_package_of_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VersionError, match="was not loaded from"):
        load_version(tmp_path)


@pytest.mark.parametrize("commit", ["no-such-commit", "--all", ""])
def test_an_unknown_commit_is_named(commit: str) -> None:
    with (
        pytest.raises(VersionError, match=f"does not know the commit `{commit}`|git is not installed"),
        tree_of(commit),
    ):
        pass
