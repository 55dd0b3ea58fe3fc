"""A console for tables, colours and bars, in which no text is markup and no text steers the terminal."""

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
    """Return a text for the console, on one line and without markup. Join several with `+`."""
    return Text(visible(text), style=style)


def stacked(*parts: Text) -> Text:
    """Return texts as lines one above the other."""
    return Text("\n").join(parts)


class TerminalConsole(Console):
    """Prints on standard output, or on another stream, what rich draws.

    A string is one line without markup. Whatever else may hold a text is gone over once more when it is drawn.
    """

    def __init__(self, *, file: IO[str] | None = None, stderr: bool = False, **options: Any) -> None:
        super().__init__(file=file, stderr=stderr, markup=False, emoji=False, highlight=False, **options)

    @classmethod
    def of_output(cls, *, plain_width: int) -> TerminalConsole:
        """Return a console on standard output; a plain one of that width where it is no terminal.

        Not what rich takes for a terminal: FORCE_COLOR, which many CI systems set, makes one of any file.
        """
        return cls() if sys.stdout.isatty() else cls(width=plain_width, force_interactive=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as a text on one line, without markup and emoji codes."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Draw, and escape what a text brought past `words`; line breaks are rich's own by then."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or _is_drawn(text) else Segment(_redrawn(text), style)

    def on_broken_pipe(self) -> None:
        """Go on as with any other fault of the stream; rich would end the process from within."""
        raise  # noqa: PLE0704 -- rich calls this where it handles the error

    def _check_buffer(self) -> None:
        # The one method of rich through which everything is written. What was lost is told once.
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
