from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline.core.visible import visible
from pipeline.output.console import TerminalConsole, stacked, words
from pipeline.output.printing import OutputLostError
from tests.hostile.terminal import EVERYTHING, MARKUP

if TYPE_CHECKING:
    from rich.console import RenderableType


def printed(*shown: RenderableType, terminal: bool = False) -> str:
    written = io.StringIO()
    TerminalConsole(file=written, width=2_000, force_terminal=terminal, color_system=None).print(*shown)
    return written.getvalue()


def _table() -> Table:
    table = Table(title=EVERYTHING, caption=EVERYTHING)
    table.add_column(EVERYTHING, footer=EVERYTHING)
    table.add_column(words(EVERYTHING), footer=words(EVERYTHING, "bold"))
    table.add_row(EVERYTHING, words(EVERYTHING))
    return table


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "shown",
    [EVERYTHING, words(EVERYTHING), words(EVERYTHING, "bold"), words("a") + words(EVERYTHING), _table()],
    ids=["a string", "words", "styled", "joined", "a table"],
)
def test_no_text_steers_the_terminal_wherever_it_stands(shown: RenderableType, terminal: bool) -> None:  # noqa: FBT001
    told = printed(shown, terminal=terminal)
    assert visible(EVERYTHING) in told
    assert all(visible(each) == each for each in told.split("\n"))


def test_a_text_that_went_past_words_is_escaped_when_it_is_drawn() -> None:
    told = printed(Text("one\x1b[2J\ntwo\u202e"), Panel(Text("x\x9b2J"), title=Text("\x1b]0;x")))
    assert told.startswith("one\\u001b[2J\ntwo\\u202e")
    assert all(visible(each) == each for each in told.split("\n"))


@pytest.mark.parametrize("shown", [MARKUP, words(MARKUP)])
def test_no_text_is_markup(shown: RenderableType) -> None:
    assert printed(shown) == f"{MARKUP}\n"


def test_texts_are_stacked_as_lines() -> None:
    assert printed(stacked(words("a\nb"), words("c"))) == "a\\nb\nc\n"


def test_a_table_is_as_wide_as_what_it_shows() -> None:
    table = Table()
    table.add_row("\x1b", "x")
    table.add_row("long enough", "y")
    rows = printed(table).splitlines()
    assert len({len(row) for row in rows}) == 1


class Lost(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.times = 0

    def write(self, _: str, /) -> NoReturn:
        self.times += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "gone"), [(errno.EPIPE, True), (errno.ENOSPC, False)])
def test_output_that_is_lost_is_told_once(number: int, gone: bool) -> None:  # noqa: FBT001 pytest passes by name
    stream = Lost(number)
    console = TerminalConsole(file=stream)
    with pytest.raises(OutputLostError) as lost:
        console.print("x")
    assert lost.value.reader_has_gone is gone
    console.print("y")
    assert stream.times == 1


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_errors_that_nobody_can_be_told_are_let_go(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Lost(number)
    writer = os.open(os.devnull, os.O_WRONLY)
    stream.fileno = lambda: writer  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    TerminalConsole(stderr=True).print("x")
    os.close(writer)


def test_what_is_no_terminal_gets_plain_text_of_a_fixed_width(capsys: pytest.CaptureFixture[str]) -> None:
    console = TerminalConsole.of_output(plain_width=123)
    assert console.width == 123
    assert not console.is_interactive
    console.print(words("x", "bold red"))
    assert capsys.readouterr().out == "x\n"
