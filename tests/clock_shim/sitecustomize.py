"""Shifts what a Python program reads as the time, where no compiler is there to shift it for every program."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS = 1_000_000_000


def _offset_seconds() -> float:
    with open(os.environ["WRONG_CLOCK_OFFSET_FILE"], encoding="ascii") as file:  # noqa: PTH123 - pathlib asks the time
        return float(file.read())


def _shifted(read: Callable[[], Any], unit: float) -> Callable[[], Any]:
    def shifted() -> Any:
        now = read()
        return now + type(now)(_offset_seconds() * unit)

    return shifted


def _with_now(without: Callable[[float], Any]) -> Callable[..., Any]:
    """Return a function of `time` that has the shifted time where it would look for the time by itself."""
    return lambda seconds=None: without(time.time() if seconds is None else seconds)


class _ShiftedDatetime(dt.datetime):
    """The class that `datetime.datetime` is from now on."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> Self:
        return cls.fromtimestamp(time.time())


def shift() -> None:
    """Put the shifted clocks in place of Python's."""
    time.time = _shifted(time.time, 1.0)
    time.time_ns = _shifted(time.time_ns, NANOSECONDS)
    for name in ("gmtime", "localtime"):
        setattr(time, name, _with_now(getattr(time, name)))
    dt.datetime = _ShiftedDatetime  # type: ignore[misc] # it replaces the class


if "WRONG_CLOCK_OFFSET_FILE" in os.environ:
    shift()
