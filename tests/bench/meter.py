"""Measure one run from inside its process: CPU and time from the first message to the last."""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run took. ``cpu_seconds`` counts every thread of the process; ``fullness`` is the sink's alone."""

    messages: int
    cpu_seconds: float
    wall_seconds: float
    fullness: float | None = None

    @property
    def cpu_microseconds_per_message(self) -> float:
        return self.cpu_seconds / self.messages * 1e6

    @property
    def messages_per_second(self) -> float:
        return self.messages / self.wall_seconds


class Meter:
    """Starts at the first message in hand, stops when every effect of the last one is confirmed, and writes its report.

    Start-up is not measured: imports, connections, joining the group. What was fetched before the first message is not
    measured either: at most one fetch, for every contestant alike.
    """

    def __init__(self, *, messages: int, report: Path, on_done: Callable[[], None]) -> None:
        """Store what to measure.

        Args:
            messages: How many messages there are.
            report: Where the report is written.
            done: Called when the report is written.
        """
        self._messages = messages
        self._report = report
        self._on_done = on_done
        self._settled = 0
        self._started: tuple[float, float] | None = None
        self._fullness: list[float] = []

    def received(self, _messages: int) -> None:
        """Record messages in hand."""
        if self._started is None:
            self._started = time.process_time(), time.perf_counter()

    def request_was_full(self, fullness: float) -> None:
        """Record how full an accepted request was."""
        self._fullness.append(fullness)

    def settled(self, messages: int) -> None:
        """Record messages whose every effect is confirmed; after the last one, write the report."""
        self._settled += messages
        if self.done and self._started is not None and not self._report.exists():
            cpu, wall = time.process_time(), time.perf_counter()
            measured = Measured(
                messages=self._settled,
                cpu_seconds=cpu - self._started[0],
                wall_seconds=wall - self._started[1],
                fullness=sum(self._fullness) / len(self._fullness) if self._fullness else None,
            )
            self._report.write_text(json.dumps(asdict(measured)), encoding="utf-8")
            self._on_done()

    @property
    def done(self) -> bool:
        """Return whether every message is settled."""
        return self._settled >= self._messages


def end_in_order() -> None:
    """Stop this process with SIGTERM, as an operator does: it commits and leaves its group."""
    os.kill(os.getpid(), signal.SIGTERM)


def meter_parser() -> argparse.ArgumentParser:
    """Build the parser of the arguments of every contestant; the rest is in the environment, as for the real worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    return parser


def read_report(report: Path) -> Measured:
    """Read what a contestant measured."""
    return Measured(**json.loads(report.read_text(encoding="utf-8")))
