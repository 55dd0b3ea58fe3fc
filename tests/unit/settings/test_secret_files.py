from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.settings import SettingsError, load_settings
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import secrets

if TYPE_CHECKING:
    from pathlib import Path

WRITE_KEY = "Ab1" + "x" * 29
FILE = "PIPELINE_SEGMENT_WRITE_KEY_FILE"


def _mistake(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(environment)
    (mistake,) = refused.value.mistakes
    return mistake.text


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_its_file_without_the_line_break_at_its_end(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "write-key"
    path.write_bytes(WRITE_KEY.encode() + ending.encode())
    key = load_settings({FILE: str(path)}).segment_write_key
    assert key is not None
    assert key.get_secret_value() == WRITE_KEY


def test_a_file_without_an_end_is_read_no_further_than_a_secret_can_be() -> None:
    assert "32 letters and digits" in _mistake({FILE: "/dev/zero"})


@pytest.mark.parametrize("field", secrets())
def test_every_secret_has_a_file_variant(field: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("", encoding="utf-8")
    variable = secret_file_variable(field)
    assert _mistake({variable: str(path)}) == f"{variable} is `{path}`: the file is empty; store the secret in it."


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    text = _mistake({FILE: str(tmp_path / "absent")})
    assert text == f"{FILE} is `{tmp_path}/absent`: there is no such file; mount the secret there, or correct the path."


def test_a_secret_in_the_place_of_its_path_is_not_shown() -> None:
    text = _mistake({FILE: WRITE_KEY})
    assert text == f"{FILE} is set: there is no such file; mount the secret there, or correct the path."


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert "the file cannot be read (Is a directory)" in _mistake({FILE: str(tmp_path)})


def test_a_file_that_the_system_does_not_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.symlink_to(path)
    assert "the file cannot be read (Too many levels of symbolic links)" in _mistake({FILE: str(path)})


def test_a_file_of_bytes_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_bytes(b"\xff\xfe")
    assert "the file is not text" in _mistake({FILE: str(path)})


def test_a_file_of_blank_lines_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text(" \n\n", encoding="utf-8")
    assert "the file is empty" in _mistake({FILE: str(path)})


def test_the_secret_itself_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    text = _mistake({FILE: str(tmp_path / "x"), "PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY})
    assert text == f"PIPELINE_SEGMENT_WRITE_KEY and {FILE} are both set: keep one."


def test_what_a_file_holds_is_checked_like_the_variable_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text("hunter2", encoding="utf-8")
    text = _mistake({FILE: str(path)})
    assert text.startswith(f"{FILE} is `{path}`, whose content cannot be used: it has 7 characters: give 32 letters")
    assert "hunter2" not in text


def test_the_settings_know_which_secret_came_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text(WRITE_KEY, encoding="utf-8")
    settings = load_settings({FILE: f" {path} "})
    assert settings.secret_file("segment_write_key") == path
    assert settings.secret_file("kafka_sasl_password") is None
    assert load_settings({"PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY}).secret_file("segment_write_key") is None
