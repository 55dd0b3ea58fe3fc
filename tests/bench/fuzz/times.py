"""When an event happened: `Section.TIMES`. Every answer is accepted if it is not defined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final, TypeAlias

Written: TypeAlias = int | float | str | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = 253_402_300_799_999
_SMALLEST: Final = 100_000_000
_FIRST_DAY: Final = 10_000_000
_MILLISECONDS_FROM: Final = 100_000_000_000
_LONGEST: Final = 40
_BEYOND_ALL: Final = 10.0**40
_NEVER: Final = 2**63 - 1
"""The largest 64-bit number may mean no time."""
_MOST_DECIMALS: Final = len(".123456789")
"""More were not read before, and the rules do not define them."""
_HALF_A_STEP: Final = 128
"""Floats of this many nanoseconds are 256 apart."""
_MOST_DECIMALS_WITH_EXPONENT: Final = len(".12345678901234567")
"""No program writes more digits of a float."""
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_HTTP_DATE: Final = re.compile(
    r"(?:[a-z]{3},\s?)?([0-9]{1,2})\s([a-z]{3})\s([0-9]{4})\s([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\s(?:GMT|UTC|([+-])([0-9]{2})([0-9]{2})))?",
    re.ASCII | re.IGNORECASE,
)
_EXACT_HTTP_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", re.ASCII
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Instant:
    """A time that was read. ``fixed`` is false for a day and for a time without a zone."""

    milliseconds: int
    fixed: bool
    open: bool = False
    """Whether it is undefined that this is a time at all."""


def chosen_times(timestamp: Written, written: str | None) -> list[str | None]:
    """Return the times that an event may get, in ISO 8601; None for Kafka's time."""
    found: list[str | None] = []
    for own in _answers(_read_text(written) if written is not None else None):
        for other in _answers(_read(timestamp)):
            found += [None if each is None else iso_text(each) for each in _combined(own, other)]
    return list(dict.fromkeys(found))


def _answers(instant: Instant | None) -> list[Instant | None]:
    return [instant, None] if instant is not None and instant.open else [instant]


def _combined(own: Instant | None, other: Instant | None) -> list[int | None]:
    if own is None:
        return [None if other is None else other.milliseconds]
    if own.fixed or other is None or not other.fixed:
        return [own.milliseconds]
    if own.milliseconds // 1000 == other.milliseconds // 1000:
        return [own.milliseconds, other.milliseconds] if own.milliseconds % 1000 == 0 else [own.milliseconds]
    return [other.milliseconds]


@lru_cache(maxsize=65_536)
def iso_text(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z".rjust(24, "0")


def _read(value: Written) -> Instant | None:
    if isinstance(value, str):
        return _read_text(value)
    return None if value is None else _read_number(value)


def _read_number(number: float) -> Instant | None:
    if not _FIRST_DAY <= number < _BEYOND_ALL:
        return None
    if number < _SMALLEST:
        return _read_day(int(number))
    if number > _LAST * 1_000 + 999:
        # JSON's number had more digits than a float has: the millisecond that they meant
        exact = Fraction(number) + (0 if isinstance(number, int) else _HALF_A_STEP)
        found = _in_range(int(exact // 1_000_000), fixed=True)
        return found and Instant(found.milliseconds, fixed=True, open=number >= _NEVER)
    if number > _LAST:
        return _in_range(int(number // 1_000), fixed=True)
    return _in_range(round(number if number >= _MILLISECONDS_FROM else number * 1000), fixed=True)


def _read_day(digits: int) -> Instant | None:
    try:
        day = datetime(digits // 10_000, digits // 100 % 100, digits % 100, tzinfo=UTC)
    except ValueError:
        return None
    return _in_range((day - _EPOCH) // timedelta(milliseconds=1), fixed=False)


@lru_cache(maxsize=65_536)
def _read_text(text: str) -> Instant | None:
    if len(text) > _LONGEST:
        return None
    text = text.strip()
    if number := _NUMBER.fullmatch(text):
        found = _read_number(_number(text))
        is_open = len(number[1] or "") > (_MOST_DECIMALS if number[2] is None else _MOST_DECIMALS_WITH_EXPONENT)
        return found and Instant(found.milliseconds, found.fixed, found.open or is_open)
    if date := _HTTP_DATE.fullmatch(text):
        return _http_date(date)
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return None
    fixed = moment.tzinfo is not None or text.endswith(" UTC")
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return _in_range((moment - _EPOCH) // timedelta(milliseconds=1), fixed=fixed)


def _number(text: str) -> float:
    """Return a number as text; for one so large that a float loses milliseconds, by its exact integer part."""
    exact = Fraction(text)
    return int(exact) if exact.denominator == 1 or exact > _LAST else float(text)


def _http_date(date: re.Match[str]) -> Instant | None:
    day, month, year, hour, minute, second, sign, off_hours, off_minutes = date.groups()
    offset = timedelta(hours=int(off_hours or 0), minutes=int(off_minutes or 0))
    if month.title() not in _MONTHS:
        return None
    try:
        moment = datetime(
            int(year), _MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    found = _in_range((moment - _EPOCH + (offset if sign == "-" else -offset)) // timedelta(milliseconds=1), fixed=True)
    return found and Instant(found.milliseconds, fixed=True, open=_EXACT_HTTP_DATE.fullmatch(date[0]) is None)


def _in_range(milliseconds: int, *, fixed: bool) -> Instant | None:
    return Instant(milliseconds, fixed) if 0 < milliseconds <= _LAST else None
