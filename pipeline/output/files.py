"""Write a file as a whole or not at all: the earlier content stays until the new one is complete."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

_ALL_PERMISSIONS: Final = 0o777
_PERMISSIONS_OF_A_NEW_FILE: Final = 0o666


class FileNotWrittenError(Exception):
    """A file cannot be written; the text has its path and the reason."""


def write_whole(path: str, text: str) -> None:
    """Replace the content of a file with a text in UTF-8; permissions and symbolic links are preserved.

    Files that are not regular, such as pipes, and files below `/dev`, such as `/dev/stdout`, are written to directly.

    Raises:
        FileNotWrittenError: the file cannot be written; its content is unchanged.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if _is_written_through(Path(path)):
            with Path(path).open("ab") as stream:
                stream.write(content)
        else:
            _replace(Path(path).resolve(), content)
    except OSError as error:
        raise FileNotWrittenError(f"{path} cannot be written: {error.strerror}.") from error


def _is_written_through(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) or path.absolute().is_relative_to("/dev")


def _replace(target: Path, content: bytes) -> None:
    permissions = _permissions(target)
    descriptor, name = tempfile.mkstemp(prefix=".onesignal-pipeline-", suffix=".part", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 -- it is open already
            os.fchmod(descriptor, permissions)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _permissions(target: Path) -> int:
    """Return the permissions of a file, or those that a new file gets.

    Raises:
        PermissionError: the file exists, and this user may not write to it.
    """
    if target.exists():
        with target.open("ab"):
            return stat.S_IMODE(target.stat().st_mode) & _ALL_PERMISSIONS
    mask = os.umask(0)
    os.umask(mask)
    return _PERMISSIONS_OF_A_NEW_FILE & ~mask
