from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.local.demo_progress import DemoProgress
from pipeline.local.demo_watch import Snapshot
from pipeline.local.traffic_window import TopicOffsets
from pipeline.output.console import TerminalConsole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def snapshot(written: int, processed: int, records: int, accepted: int) -> Snapshot:
    nothing = TopicOffsets(low={}, high={}, read={})
    return Snapshot(
        raw=TopicOffsets(low={}, high={0: written}, read={0: processed}),
        records=TopicOffsets(low={}, high={0: records}, read={0: accepted}),
        dead_letters=nothing,
        records_observed={},
    )


def terminal(out: io.StringIO, width: int) -> TerminalConsole:
    return TerminalConsole(file=out, width=width, force_terminal=True, _environ={"TERM": "xterm"})


def times(*seconds: float) -> Callable[[], float]:
    left: Iterator[float] = iter(seconds)
    return lambda: next(left)


def test_without_a_terminal_there_is_a_line_every_two_seconds() -> None:
    out = io.StringIO()
    with DemoProgress(TerminalConsole(file=out, width=120), ["A"], events=10, now=times(0, 1, 2, 3, 4)) as progress:
        for written in (1, 2, 3, 4):
            progress.show("A", snapshot(written, 1, 1, 1))
    assert [line.split()[3] for line in out.getvalue().splitlines()] == ["2", "4"]


@pytest.mark.parametrize(
    "console",
    [
        # Many CI systems set FORCE_COLOR, with which rich treats a log file as a terminal.
        lambda out: TerminalConsole(file=out, force_interactive=False, _environ={"FORCE_COLOR": "1"}),
        lambda out: TerminalConsole(file=out, force_terminal=True, _environ={"TERM": "dumb"}),
    ],
    ids=["coloured, into a file", "a dumb terminal"],
)
def test_where_nothing_can_be_redrawn_there_are_lines(console: Callable[[io.StringIO], TerminalConsole]) -> None:
    out = io.StringIO()
    with DemoProgress(console(out), ["A", "B"], events=10, now=times(0, 1, 2)) as progress:
        progress.show("A", snapshot(7, 5, 3, 2))
        progress.show("B", snapshot(7, 4, 2, 1))
    line = " ".join(out.getvalue().split())
    assert line.endswith("A: processor 5, sink 2 of 3 records B: processor 4, sink 1 of 2 records")
    assert "━" not in out.getvalue()


def test_on_a_terminal_there_are_bars() -> None:
    out = io.StringIO()
    with DemoProgress(terminal(out, 120), ["A"], events=10) as progress:
        progress.say("starting")
        progress.show("A", snapshot(7, 5, 3, 2))
    assert "starting" in out.getvalue()
    assert "7/10" in out.getvalue()


@pytest.mark.parametrize(
    ("width", "beside"), [(39, (False, False)), (60, (True, True)), (45, (False, False)), (46, (False, True))]
)
def test_a_narrow_terminal_loses_the_bars_then_the_time_and_never_a_count(
    width: int, beside: tuple[bool, bool]
) -> None:
    out = io.StringIO()
    with DemoProgress(terminal(out, width), ["A"], events=20_000_000) as progress:
        progress.show("A", snapshot(19_999_999, 5_999_999, 6_999_999, 2_999_999))
    for count in ("19999999/20000000", "5999999/20000000", "2999999/6999999"):
        assert count in out.getvalue()
    assert ("━" in out.getvalue(), "0:00:0" in out.getvalue()) == beside


def test_everything_is_settled_when_every_reader_has_come_to_the_end() -> None:
    done = snapshot(5, 5, 3, 3)
    assert not done.settled()
    seen = Snapshot(raw=done.raw, records=done.records, dead_letters=done.dead_letters, records_observed={0: 3})
    assert seen.settled()
