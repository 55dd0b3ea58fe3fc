from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.output.console import TerminalConsole
from pipeline.tools.what_if.lines import LinesSource
from pipeline.tools.what_if.progress import CountProgress

if TYPE_CHECKING:
    from collections.abc import Iterator


def _shown(times: list[float], *, total: int | None, done: int, terminal: bool = False) -> str:
    clock: Iterator[float] = iter(times)
    written = io.StringIO()
    source = LinesSource(io.BytesIO(), title="a file", total=total)
    console = TerminalConsole(file=written, force_terminal=terminal, width=100)
    with CountProgress(console, source, now=lambda: next(clock)) as progress:
        source.done = done
        for _ in times[1:] or [0]:
            progress.show(1_234_567)
    return written.getvalue()


@pytest.mark.parametrize(
    ("times", "total", "done", "line"),
    [
        ([0.0, 10.0], 100, 25, "1,234,567 messages read, 25%, about 30 s left\n"),
        ([0.0, 10.0], 100, 1, "1,234,567 messages read, 1%, about 16 min left\n"),
        ([0.0, 10.0], None, 25, "1,234,567 messages read\n"),
        ([0.0, 10.0], 100, 0, "1,234,567 messages read\n"),
        ([0.0, 4.9], 100, 25, ""),
    ],
)
def test_without_a_terminal_a_line_now_and_then_tells_how_long_it_takes(
    times: list[float], total: int | None, done: int, line: str
) -> None:
    assert _shown(times, total=total, done=done) == line


def test_a_terminal_has_a_bar() -> None:
    assert "1,234,567 messages" in _shown([0.0], total=100, done=25, terminal=True)
