"""Show the progress of a count and the remaining time on standard error: a bar on a terminal, else lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pipeline.output.console import TerminalConsole
    from pipeline.tools.what_if.sources import Source

_LINE_SECONDS: Final = 5.0
_SECONDS_PER_MINUTE: Final = 60


class CountProgress:
    """Show how much of a source has been read; use it with ``with``."""

    def __init__(self, console: TerminalConsole, source: Source, *, now: Callable[[], float] = time.monotonic) -> None:
        """Show the progress of a source on a console."""
        self._console = console
        self._source = source
        self._now = now
        self._begun = self._line_at = now()
        self._task = TaskID(0)
        self._bars: Progress | None = None

    def __enter__(self) -> Self:
        """Start showing."""
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("reading"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[messages]:,} messages"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._bars.add_task("reading", total=self._source.total, messages=0)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, messages: int) -> None:
        """Show the number of messages read."""
        if self._bars is not None:
            self._bars.update(self._task, completed=self._source.done, messages=messages)
            return
        now = self._now()
        if now - self._line_at >= _LINE_SECONDS:
            self._line_at = now
            self._console.print(f"{messages:,} messages read{self._outlook(now)}", soft_wrap=True)

    def _outlook(self, now: float) -> str:
        done, total = self._source.done, self._source.total
        if not total or not done:
            return ""
        left = (now - self._begun) * (total - done) / done
        return f", {done / total:.0%}, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _SECONDS_PER_MINUTE:.0f} min"
