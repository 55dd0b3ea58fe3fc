"""Show the progress of a demo: bars on an interactive terminal, a line every two seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from pipeline.local.demo_watch import Snapshot
    from pipeline.output.console import TerminalConsole

_LINE_SECONDS: Final = 2.0
_NAME_WIDTH: Final = 20
_TIME_WIDTH: Final = 7
_LEAST_BAR: Final = 10
_LONGEST_BAR: Final = 40


def _columns(width: int, events: int) -> list[ProgressColumn]:
    """Return the columns that fit: the counts, which are never cut, then the time, then bars as long as possible."""
    count = 2 * len(str(events)) + 1
    left = width - _NAME_WIDTH - 1 - count
    columns: list[ProgressColumn] = [
        TextColumn(f"{{task.description:<{_NAME_WIDTH}}}"),
        MofNCompleteColumn(table_column=Column(min_width=count, no_wrap=True)),
    ]
    if left > _TIME_WIDTH:
        columns.append(TimeElapsedColumn())
        left -= _TIME_WIDTH + 1
    if left > _LEAST_BAR:
        columns.insert(1, BarColumn(bar_width=min(_LONGEST_BAR, left - 1)))
    return columns


class DemoProgress:
    """Show snapshots; use it with ``with``."""

    def __init__(
        self,
        console: TerminalConsole,
        titles: Sequence[str],
        *,
        events: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._titles = titles
        self._events = events
        self._now = now
        self._begun = now()
        self._line_at = self._begun
        self._bars: Progress | None = None
        self._written = TaskID(0)
        self._processed: dict[str, TaskID] = {}
        self._accepted: dict[str, TaskID] = {}
        self._latest: dict[str, Snapshot] = {}

    def __enter__(self) -> Self:
        """Start showing."""
        if self._console.is_interactive:
            self._bars = Progress(
                *_columns(self._console.width, self._events),
                console=self._console,
                refresh_per_second=5,
                transient=True,
            )
            self._written = self._bars.add_task("written to Kafka", total=self._events)
            for title in self._titles:
                self._processed[title] = self._bars.add_task(f"{title} processor", total=self._events)
                self._accepted[title] = self._bars.add_task(f"{title} sink", total=None)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bars."""
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text)

    def show(self, title: str, snapshot: Snapshot) -> None:
        """Show the progress of a destination's readers."""
        self._latest[title] = snapshot
        written, processed, accepted = snapshot.progress()
        if self._bars is not None:
            records = sum(snapshot.records.high.values())
            self._bars.update(self._written, completed=written)
            self._bars.update(self._processed[title], completed=processed)
            self._bars.update(self._accepted[title], completed=accepted, total=records or None)
            return
        now = self._now()
        if now - self._line_at >= _LINE_SECONDS:
            self._line_at = now
            self.say(f"{now - self._begun:5.0f} s  written {written:>9,}   " + "   ".join(self._settled()))

    def _settled(self) -> Iterator[str]:
        """Return how far each destination is: messages settled by the processor, and records settled by the sink."""
        for title, snapshot in self._latest.items():
            _, processed, accepted = snapshot.progress()
            records = sum(snapshot.records.high.values())
            yield f"{title}: processor {processed:>9,}, sink {accepted:>9,} of {records:,} records"
