"""Print lines on standard output and standard error, with control characters escaped."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator


class OutputLostError(Exception):
    """Standard output cannot be written; the cause is an OSError.

    It is not an OSError itself, so that no handler mistakes it for a fault of a file or of the network.
    """

    def __init__(self, error: OSError) -> None:
        self.reader_has_gone = isinstance(error, BrokenPipeError)
        super().__init__(f"Standard output cannot be written: {error.strerror}.")


def say(*lines: str) -> None:
    """Print lines on standard output. A line break within a line is escaped like any control character.

    Raises:
        OutputLostError: standard output cannot be written.
    """
    with lost_output():
        _write(sys.stdout, lines)


def say_error(*lines: str) -> None:
    """Print lines on standard error; if that cannot be written, drop them."""
    try:
        _write(sys.stderr, lines)
    except OSError:
        give_up(sys.stderr)


def flush_output() -> None:
    """Flush standard output.

    Raises:
        OutputLostError: standard output cannot be written.
    """
    with lost_output():
        sys.stdout.flush()


@contextmanager
def lost_output() -> Iterator[None]:
    """Raise `OutputLostError` for any fault of standard output."""
    try:
        yield
    except OSError as error:
        raise OutputLostError(error) from error


def give_up(stream: TextIO) -> None:
    """Redirect a broken stream to the null device; otherwise Python reports an error when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write(stream: TextIO, lines: tuple[str, ...]) -> None:
    stream.write("".join(f"{visible(each)}\n" for each in lines))
    stream.flush()
