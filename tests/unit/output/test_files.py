from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.output.files import FileNotWrittenError, write_whole
from tests.full_disk import ROOM, full_disk

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "the earlier page", "the new page\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_a_file_is_written(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_whole(str(tmp_path / "page.html"), "é\udcff")
    finally:
        os.umask(mask)
    assert (tmp_path / "page.html").read_bytes() == "é\\udcff".encode()
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("size", [ROOM + 1, 1_000_000])
def test_where_the_disk_is_full_the_earlier_file_stays_and_nothing_is_left(page: Path, size: int) -> None:
    with pytest.raises(FileNotWrittenError, match=r"page\.html cannot be written: File too large\."), full_disk():
        write_whole(str(page), "x" * size)
    assert page.read_text(encoding="utf-8") == OLD
    assert list(page.parent.iterdir()) == [page]


def test_who_reads_the_earlier_file_reads_it_to_its_end(page: Path) -> None:
    with page.open(encoding="utf-8") as reader:
        write_whole(str(page), NEW)
        assert reader.read() == OLD
    assert page.read_text(encoding="utf-8") == NEW


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_permissions_stay(page: Path, mode: int) -> None:
    page.chmod(mode)
    write_whole(str(page), NEW)
    assert stat.S_IMODE(page.stat().st_mode) == mode


def test_a_symbolic_link_stays_one_and_its_target_is_replaced(page: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest.html"
    link.symlink_to(page)
    write_whole(str(link), NEW)
    assert link.is_symlink()
    assert page.read_text(encoding="utf-8") == NEW


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_whole(str(pipe), NEW)
    reader.join()
    assert found == [NEW]
    assert pipe.is_fifo()


def test_what_dev_names_is_written_to_directly(tmp_path: Path) -> None:
    target = (tmp_path / "out").open("w+b")
    with target:
        target.write(b"before,")
        target.flush()
        inode = os.fstat(target.fileno()).st_ino
        write_whole(f"/dev/fd/{target.fileno()}", NEW)
        assert (tmp_path / "out").stat().st_ino == inode
    assert (tmp_path / "out").read_text(encoding="utf-8") == f"before,{NEW}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent/page.html", "No such file or directory"),
        ("circle", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("folder", "Is a directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_what_cannot_be_written_is_told_with_its_cause(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotWrittenError) as error:
        write_whole(str(tmp_path / name), NEW)
    assert str(error.value) == f"{tmp_path / name} cannot be written: {reason}."
    assert {each.name for each in tmp_path.iterdir()} == {"circle", "folder"}


def test_an_interruption_leaves_nothing(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(str(page), NEW)
    assert page.read_text(encoding="utf-8") == OLD
    assert list(page.parent.iterdir()) == [page]
