from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.settings import SettingsError, files, load_settings
from pipeline.settings.files import (
    FileError,
    check_answers,
    check_file,
    content_of,
    promptly,
    read_file,
    read_file_aside,
    text_of,
)
from tests.fakes.files import SilentFiles

if TYPE_CHECKING:
    from collections.abc import Callable


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2_000_000_000)


def absent(path: Path) -> None:
    del path


UNUSABLE = [
    (pipe, "it is a pipe, not a file"),
    (Path.mkdir, "it is a folder, not a file"),
    (endless, "it is a device, not a file"),
    (listening, "it is a socket, not a file"),
    (loop, "it cannot be read: Too many levels of symbolic links"),
    (huge, "it has more than 1,048,576 bytes"),
    (absent, "there is no such file"),
]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("file")  # a socket's address must be short


@pytest.fixture
def full(path: Path) -> Path:
    path.write_bytes(b"text")
    return path


@pytest.mark.parametrize(("make", "reason"), UNUSABLE)
async def test_what_is_no_small_file_is_refused_at_once(make: Callable[[Path], None], reason: str, path: Path) -> None:
    make(path)
    for read in (check_file, read_file):
        with pytest.raises(FileError) as refused:
            read(path)
        assert str(refused.value) == reason
    with pytest.raises(FileError, match=reason):
        await read_file_aside(path)
    assert str(await content_of(path)) == reason


@pytest.mark.parametrize("make", [Path.touch, huge, absent, loop])
def test_nobody_waits_for_a_file_or_for_what_is_not_there(make: Callable[[Path], None], path: Path) -> None:
    make(path)
    check_answers(path)


@pytest.mark.parametrize(("make", "reason"), [(pipe, "it is a pipe, not a file"), (endless, "it is a device")])
def test_who_opens_what_is_no_file_may_wait_for_ever(make: Callable[[Path], None], reason: str, path: Path) -> None:
    make(path)
    with pytest.raises(FileError, match=reason):
        check_answers(path)


def test_what_is_no_file_of_any_known_sort_is_refused(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = os.stat_result((0o150000, *os.stat(full)[1:]))  # noqa: PTH116 -- as the module does
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda _: unknown)
        with pytest.raises(FileError, match="it is something else, not a file"):
            read_file(full)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(FileError, match="no file can have such a name"):
        read_file(Path(name))


async def test_a_file_is_read_whole_up_to_its_limit(full: Path) -> None:
    assert (
        read_file(full, most_bytes=4) == await read_file_aside(full, most_bytes=4) == await content_of(full) == b"text"
    )
    check_file(full)
    with pytest.raises(FileError, match="it has more than 3 bytes"):
        read_file(full, most_bytes=3)


def test_a_file_that_grows_while_it_is_read_is_read_no_further_than_its_limit(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = os.stat_result((*os.stat(full)[:6], 0, *os.stat(full)[7:10]))  # noqa: PTH116 -- as the module does
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda _: small)
        patched.setattr(os, "fstat", lambda _: small)
        with pytest.raises(FileError, match="it has more than 3 bytes"):
            read_file(full, most_bytes=3)


def test_a_file_that_became_a_pipe_since_it_was_looked_at_is_not_waited_for(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.stat(full)  # noqa: PTH116 -- as the module does
    full.unlink()
    os.mkfifo(full)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda _: before)
        with pytest.raises(FileError, match="it is a pipe, not a file"):
            read_file(full)


def test_an_error_while_a_file_is_read_is_its_reason(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "limited", fail)
    with pytest.raises(FileError, match="it cannot be read: Input/output error"):
        read_file(full)


def test_only_utf_8_is_text() -> None:
    assert text_of("ä".encode()) == "ä"
    with pytest.raises(FileError, match="it is not UTF-8 text, from byte 1 on"):
        text_of(b"a\xff")


async def test_of_a_file_that_does_not_answer_one_thread_waits_and_nobody_else(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.05)
    with SilentFiles(monkeypatch, full) as silent:
        with pytest.raises(FileError, match=r"it did not answer within 0\.05 s"):
            read_file(full)
        for _ in range(3):
            with pytest.raises(FileError, match=r"it did not answer within 0\.05 s"):
                await read_file_aside(full)
        assert silent.asked == 1
        assert [each.daemon for each in threading.enumerate() if each.name == "file"] == [True]
    silent.end()
    assert read_file(full) == b"text"


async def test_the_loop_runs_on_while_a_file_does_not_answer(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SilentFiles(monkeypatch, full) as silent:
        reading = asyncio.create_task(content_of(full))
        await asyncio.to_thread(silent.is_asked.wait)
        assert not reading.done()
    assert await reading == b"text"


def test_what_a_call_raises_reaches_its_caller(path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            promptly(path, fail)


HANGS = """
import asyncio, os, threading
from pathlib import Path
from pipeline.settings import files

files.ANSWER_SECONDS = 0.05
real = os.stat
os.stat = lambda path, **options: threading.Event().wait() if str(path) == "file" else real(path, **options)
print(asyncio.run(files.content_of(Path("file"))))
"""


def test_a_file_that_never_answers_does_not_keep_the_process_from_its_end() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "it did not answer within 0.05 s\n", "")


@pytest.mark.parametrize("variable", ["PIPELINE_RULES_FILE", "PIPELINE_KAFKA_SSL_CA_FILE", "PIPELINE_DATA_DIRECTORY"])
def test_a_setting_whose_file_does_not_answer_is_a_mistake(
    variable: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"rules: []")
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.05)
    with SilentFiles(monkeypatch, path) as silent, pytest.raises(SettingsError) as refused:
        load_settings({variable: str(path)})
    silent.end()
    assert f"{variable} is `file`, but it did not answer within 0.05 s: give the path" in str(refused.value)
