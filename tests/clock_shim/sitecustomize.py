"""Shifts the clocks of a Python program, on machines without a compiler for the library that shifts all programs."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS = 1_000_000_000


def _offset_seconds() -> float:
    with open(os.environ["WRONG_CLOCK_OFFSET_FILE"], encoding="ascii") as file:  # noqa: PTH123 - pathlib reads the clock
        return float(file.read())


def _shifted(read: Callable[[], Any], unit: float) -> Callable[[], Any]:
    def shifted() -> Any:
        now = read()
        return now + type(now)(_offset_seconds() * unit)

    return shifted


def _with_now(without: Callable[[float], Any]) -> Callable[..., Any]:
    """Return a function of `time` that uses the shifted time where it would read the clock itself."""
    return lambda seconds=None: without(time.time() if seconds is None else seconds)


class _ShiftedDatetime(dt.datetime):
    """Replaces `datetime.datetime`."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> Self:
        return cls.fromtimestamp(time.time())


def shift() -> None:
    """Replace Python's clocks by the shifted ones."""
    time.time = _shifted(time.time, 1.0)
    time.time_ns = _shifted(time.time_ns, NANOSECONDS)
    for name in ("gmtime", "localtime"):
        setattr(time, name, _with_now(getattr(time, name)))
    dt.datetime = _ShiftedDatetime  # type: ignore[misc] # it replaces the class


if "WRONG_CLOCK_OFFSET_FILE" in os.environ:
    shift()
