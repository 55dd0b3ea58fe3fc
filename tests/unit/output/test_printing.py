from __future__ import annotations

import errno
import io
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest

from pipeline.output.printing import OutputLostError, flush_output, say, say_error

if TYPE_CHECKING:
    from collections.abc import Callable


class Lost(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, number: int, descriptor: int = -1) -> None:
        super().__init__()
        self._number = number
        self._descriptor = descriptor

    def flush(self) -> NoReturn:
        raise OSError(self._number, os.strerror(self._number))

    def close(self) -> None:
        """Skip the flush at the end."""

    def fileno(self) -> int:
        return self._descriptor


@pytest.mark.parametrize("printed", [say, say_error])
def test_every_line_is_one_line_whatever_it_holds(
    printed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    printed("one\ntwo\x1b[2J", "three")
    told = capsys.readouterr()
    assert told.out + told.err == "one\\ntwo\\u001b[2J\nthree\n"
    assert bool(told.out) == (printed is say)


@pytest.mark.parametrize(
    ("number", "gone", "text"),
    [
        (errno.ENOSPC, False, "Standard output cannot be written: No space left on device."),
        (errno.EPIPE, True, "Standard output cannot be written: Broken pipe."),
        (errno.EIO, False, "Standard output cannot be written: Input/output error."),
    ],
)
def test_output_that_is_lost_is_no_fault_of_a_file(
    number: int,
    gone: bool,  # noqa: FBT001 pytest passes parameters by name
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Lost(number))
    for printed in (partial(say, "x"), flush_output):
        with pytest.raises(OutputLostError) as lost:
            printed()
        assert str(lost.value) == text
        assert lost.value.reader_has_gone is gone
        assert not isinstance(lost.value, OSError)


def test_errors_that_nobody_can_be_told_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(sys, "stderr", Lost(errno.ENOSPC, writer))
    say_error("x")
    os.write(writer, b"it leads nowhere now")
    os.close(writer)
    assert os.read(reader, 100) == b""
    os.close(reader)
