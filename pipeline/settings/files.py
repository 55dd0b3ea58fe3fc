"""Reads small files that an operator names, so that none of them can block the program or fill its memory.

A pipe, a device, or a file on a lost network mount may never answer, and a system call cannot be cancelled. So only
regular files are read, up to a limit, and each call runs in its own thread with a deadline. The thread is a daemon: it
blocks neither the event loop nor the end of the process. Until it returns, its file is not read again, so that threads
do not accumulate.
"""

from __future__ import annotations

import asyncio
import os
import stat
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from typing import IO, TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_Answer = TypeVar("_Answer")

ANSWER_SECONDS: Final = 5.0
"""How long reading a file may take; a local one takes milliseconds, and Kubernetes' probes wait a few seconds."""
MOST_FILE_BYTES: Final = 1_048_576
"""Four bytes for each character that rules may have; certificate bundles have a quarter of that."""

_READ_ONLY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""Non-blocking: what was a regular file a moment ago may be a pipe now."""
_SORTS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileError(ValueError):
    """A file cannot be used. The text is a clause with the reason, without the name or content of the file."""


Content: TypeAlias = bytes | FileError
"""The content of a file, or why it could not be read."""


def read_file(path: Path, *, most_bytes: int = MOST_FILE_BYTES) -> bytes:
    """Return the content of a file.

    Raises:
        FileError: it is not a regular file, cannot be read, is larger than `most_bytes`, or does not answer.
    """
    return promptly(path, partial(_read, path, most_bytes))


async def read_file_aside(path: Path, *, most_bytes: int = MOST_FILE_BYTES) -> bytes:
    """Return the content of a file, without blocking the event loop.

    Raises:
        FileError: as for `read_file`.
    """
    future = _begun(path, partial(_read, path, most_bytes))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await asyncio.wrap_future(future)
    except TimeoutError:
        raise _unanswered() from None


async def content_of(path: Path) -> Content:
    """Return the content of a file, or why it cannot be read, without blocking the event loop."""
    try:
        return await read_file_aside(path)
    except FileError as error:
        return error


def promptly(path: Path, use: Callable[[], _Answer]) -> _Answer:
    """Return the result of a call that uses a file or a folder and may never return; its exceptions are passed on.

    Raises:
        FileError: it does not return before the deadline, or an earlier call for the same path has not returned yet.
    """
    future = _begun(path, use)
    try:
        return future.result(ANSWER_SECONDS)
    except TimeoutError:
        raise _unanswered() from None


def check_file(path: Path) -> None:
    """Check that a file can be opened and is small enough to be read.

    Raises:
        FileError: as for `read_file`.
    """
    promptly(path, lambda: os.close(_opened(path, MOST_FILE_BYTES)))


def check_answers(path: Path) -> None:
    """Check that opening a path does not block; a path without a file does not.

    Raises:
        FileError: it is something other than a file, or does not answer.
    """
    promptly(path, partial(_check_what_is_there, path))


def text_of(content: bytes) -> str:
    """Return UTF-8 text.

    Raises:
        FileError: it is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FileError(f"it is not UTF-8 text, from byte {error.start} on") from None


class _Unanswered:
    """The calls that have not returned, by path."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, Future[object]] = {}

    def begin(self, path: str, future: Future[object]) -> bool:
        """Register a call, and return True, unless an earlier one for the same path has not returned."""
        with self._lock:
            return self._calls.setdefault(path, future) is future

    def end(self, path: str) -> None:
        """Remove a call that returned."""
        with self._lock:
            del self._calls[path]


_UNANSWERED: Final = _Unanswered()


def _begun(path: Path, use: Callable[[], _Answer]) -> Future[_Answer]:
    future: Future[_Answer] = Future()
    future.set_running_or_notify_cancel()  # a caller that times out must not cancel it under the thread
    name = str(path)
    if not _UNANSWERED.begin(name, future):  # type: ignore[arg-type] # futures are invariant
        raise _unanswered()
    Thread(target=_answer, args=(name, use, future), name="file", daemon=True).start()
    return future


def _answer(name: str, use: Callable[[], _Answer], future: Future[_Answer]) -> None:
    try:
        answer = use()
    except BaseException as error:  # noqa: BLE001 -- passed on to the caller
        _UNANSWERED.end(name)
        future.set_exception(error)
    else:
        _UNANSWERED.end(name)
        future.set_result(answer)


def _unanswered() -> FileError:
    return FileError(f"it did not answer within {ANSWER_SECONDS:g} s")


def limited(file: IO[bytes], most_bytes: int) -> bytes:
    """Return the rest of an open file.

    Raises:
        FileError: it has more than `most_bytes`; at most one byte more is read.
    """
    content = bytes(file.read(most_bytes + 1) or b"")  # None, from a kernel file that would block
    if len(content) > most_bytes:
        raise _too_large(most_bytes)
    return content


def unreadable(error: OSError | ValueError) -> FileError:
    """Return in words why the system refused a path."""
    if isinstance(error, FileError):
        return error
    if isinstance(error, FileNotFoundError):
        return FileError("there is no such file")
    if isinstance(error, OSError):
        return FileError(f"it cannot be read: {error.strerror}")
    return FileError("no file can have such a name")


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with os.fdopen(_opened(path, most_bytes), "rb") as file:
            return limited(file, most_bytes)
    except OSError as error:
        raise unreadable(error) from None


def _opened(path: Path, most_bytes: int) -> int:
    """Open a regular file, and return its descriptor, which the caller closes. Opening devices or pipes has effects."""
    try:
        _check(os.stat(path), most_bytes)  # noqa: PTH116 -- as below
        descriptor = os.open(path, _READ_ONLY)
    except (OSError, ValueError) as error:
        raise unreadable(error) from None
    try:
        _check(os.fstat(descriptor), most_bytes)
    except FileError:
        os.close(descriptor)
        raise
    return descriptor


def _check_what_is_there(path: Path) -> None:
    with suppress(OSError, UnicodeEncodeError):
        _check_sort(os.stat(path))  # noqa: PTH116 -- as above


def _check_sort(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        sort = next((words for is_sort, words in _SORTS if is_sort(found.st_mode)), "something else")
        raise FileError(f"it is {sort}, not a file")


def _check(found: os.stat_result, most_bytes: int) -> None:
    _check_sort(found)
    if found.st_size > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> FileError:
    return FileError(f"it has more than {most_bytes:,} bytes")
