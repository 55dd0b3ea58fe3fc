"""Print lines on standard output and standard error, with nothing in them that steers a terminal."""

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

    It is no OSError itself, so that nobody takes it for a fault of a file or of the network.
    """

    def __init__(self, error: OSError) -> None:
        self.reader_has_gone = isinstance(error, BrokenPipeError)
        super().__init__(f"Standard output cannot be written: {error.strerror}.")


def say(*lines: str) -> None:
    """Print lines on standard output. A line break within one is escaped as any control character is.

    Raises:
        OutputLostError: standard output cannot be written.
    """
    with lost_output():
        _write(sys.stdout, lines)


def say_error(*lines: str) -> None:
    """Print lines on standard error; where that cannot be written, nobody is left to be told."""
    try:
        _write(sys.stderr, lines)
    except OSError:
        give_up(sys.stderr)


def flush_output() -> None:
    """Write what standard output still holds.

    Raises:
        OutputLostError: standard output cannot be written.
    """
    with lost_output():
        sys.stdout.flush()


@contextmanager
def lost_output() -> Iterator[None]:
    """Raise `OutputLostError` for what goes wrong with standard output."""
    try:
        yield
    except OSError as error:
        raise OutputLostError(error) from error


def give_up(stream: TextIO) -> None:
    """Let what cannot be written go nowhere; Python would complain about it when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write(stream: TextIO, lines: tuple[str, ...]) -> None:
    stream.write("".join(f"{visible(each)}\n" for each in lines))
    stream.flush()
