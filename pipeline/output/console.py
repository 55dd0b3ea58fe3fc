"""A console for tables, colours and progress bars. It interprets no text as markup and escapes control characters."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from pipeline.core.visible import visible
from pipeline.output.printing import OutputLostError, give_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


def words(text: str, style: str = "") -> Text:
    """Return a one-line text for the console, without markup. Join texts with `+`."""
    return Text(visible(text), style=style)


def stacked(*parts: Text) -> Text:
    """Return texts as lines, one below the other."""
    return Text("\n").join(parts)


class TerminalConsole(Console):
    """Print what rich draws, on standard output or another stream.

    A string is one line without markup. Texts inside other renderables are escaped when they are drawn.
    """

    def __init__(self, *, file: IO[str] | None = None, stderr: bool = False, **options: Any) -> None:
        super().__init__(file=file, stderr=stderr, markup=False, emoji=False, highlight=False, **options)

    @classmethod
    def of_output(cls, *, plain_width: int) -> TerminalConsole:
        """Return a console on standard output; without a terminal, a plain one of that width.

        Rich's own test is not used: with FORCE_COLOR, which many CI systems set, it treats any file as a terminal.
        """
        return cls() if sys.stdout.isatty() else cls(width=plain_width, force_interactive=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as a text on one line, without markup and emoji codes."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Draw, and escape what bypassed `words`. Line breaks are rich's own at this point."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or _is_drawn(text) else Segment(_redrawn(text), style)

    def on_broken_pipe(self) -> None:
        """Handle it as any other fault of the stream; rich would end the process."""
        raise  # noqa: PLE0704 -- rich calls this where it handles the error

    def _check_buffer(self) -> None:
        # Rich writes everything through this method. Lost output is reported once.
        try:
            super()._check_buffer()
        except OSError as error:
            self.quiet = True
            if not self.stderr:
                raise OutputLostError(error) from error
            give_up(sys.stderr)


def _is_drawn(text: str) -> bool:
    return text.isprintable() or text == "\n"


def _redrawn(text: str) -> str:
    return "\n".join(visible(each) for each in text.split("\n"))
