from __future__ import annotations

import errno
import tempfile
from typing import TYPE_CHECKING, NoReturn

import pytest

from pipeline.bootstrap.files import working_folder
from pipeline.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every folder refuse temporary files."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)


def test_without_a_folder_of_ones_own_there_is_a_temporary_one_until_the_end() -> None:
    with working_folder(load_settings({})) as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_a_temporary_folder_that_is_gone_at_the_end_is_no_fault() -> None:
    with working_folder(load_settings({})) as folder:
        folder.rmdir()


@pytest.mark.usefixtures("no_room")
def test_without_a_place_for_a_temporary_folder_a_worker_asks_for_one() -> None:
    with pytest.raises(SettingsError) as raised, working_folder(load_settings({})):
        pass
    assert str(raised.value) == (
        "PIPELINE_DATA_DIRECTORY is not set, and no temporary folder can be made: Read-only file system: name a folder "
        "that can be written."
    )


@pytest.mark.usefixtures("no_room")
def test_with_a_folder_of_ones_own_no_temporary_one_is_needed(tmp_path: Path) -> None:
    own = tmp_path / "own"
    with working_folder(load_settings({"PIPELINE_DATA_DIRECTORY": str(own)})) as folder:
        assert folder == own
    assert own.is_dir()
