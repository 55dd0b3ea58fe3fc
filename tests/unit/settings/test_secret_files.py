from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline.settings import SettingsError, load_settings
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import secrets

if TYPE_CHECKING:
    from pathlib import Path

WRITE_KEY = "Ab1" + "x" * 29
FILE = "PIPELINE_SEGMENT_WRITE_KEY_FILE"
REMEDY = "store the secret alone in a file, and mount it there or correct the path."


def _mistake(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(environment)
    (mistake,) = refused.value.mistakes
    return mistake.text


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_its_file_without_the_line_break_at_its_end(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "write-key"
    path.write_bytes(WRITE_KEY.encode() + ending.encode())
    key = load_settings({FILE: str(path)}).segment.write_key
    assert key is not None
    assert key.get_secret_value() == WRITE_KEY


def test_what_is_no_regular_file_holds_no_secret(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert _mistake({FILE: "/dev/zero"}) == f"{FILE} is `/dev/zero`: it is a device, not a file; {REMEDY}"
    assert _mistake({FILE: str(pipe)}) == f"{FILE} is `{pipe}`: it is a pipe, not a file; {REMEDY}"
    assert _mistake({FILE: str(tmp_path)}) == f"{FILE} is `{tmp_path}`: it is a folder, not a file; {REMEDY}"


def test_a_file_that_is_larger_than_a_secret_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)
    assert _mistake({FILE: str(path)}) == f"{FILE} is `{path}`: it has more than 65,536 bytes; {REMEDY}"


@pytest.mark.parametrize("byte", ["\udcff", "\0"])
def test_a_secret_that_no_protocol_can_send_is_refused_without_being_shown(byte: str) -> None:
    text = _mistake({"PIPELINE_KAFKA_SASL_PASSWORD": f"hunter2{byte}"})
    assert text.startswith("PIPELINE_KAFKA_SASL_PASSWORD is set, but it ")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "path", ["/mnt/key\nMIIEvQIBADANBg", "/-----BEGIN PRIVATE KEY-----", "/mnt/\udcff", "/mnt/\x1b[2J"]
)
def test_a_key_in_the_place_of_its_path_is_not_shown_either(path: str) -> None:
    text = _mistake({FILE: path})
    assert text.startswith(f"{FILE} is set: ")


@pytest.mark.parametrize("field", secrets())
def test_every_secret_has_a_file_variant(field: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("", encoding="utf-8")
    variable = secret_file_variable(field)
    assert _mistake({variable: str(path)}) == f"{variable} is `{path}`: it is empty; {REMEDY}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    text = _mistake({FILE: str(tmp_path / "absent")})
    assert text == f"{FILE} is `{tmp_path}/absent`: there is no such file; {REMEDY}"


def test_a_secret_in_the_place_of_its_path_is_not_shown() -> None:
    text = _mistake({FILE: WRITE_KEY})
    assert text == f"{FILE} is set: there is no such file; {REMEDY}"


def test_a_file_that_the_system_does_not_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.symlink_to(path)
    assert "it cannot be read: Too many levels of symbolic links" in _mistake({FILE: str(path)})


def test_a_file_of_bytes_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_bytes(b"\xff\xfe")
    assert "it is not UTF-8 text, from byte 0 on" in _mistake({FILE: str(path)})


def test_a_file_of_blank_lines_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text(" \n\n", encoding="utf-8")
    assert "it is empty" in _mistake({FILE: str(path)})


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
