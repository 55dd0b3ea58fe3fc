"""The time of an event as ISO 8601 text: UTC, with milliseconds.

``event.timestamp`` has seconds, ``event.datetime`` the same instant with milliseconds
(schemas/SOURCES.md, "OneSignal event variables"), so a readable ``datetime`` is preferred, then ``timestamp``, then the
time at which Kafka stored the message. A ``datetime`` without a time zone is ambiguous: a ``timestamp`` that is an
instant is preferred to it, and takes its milliseconds where both have the same second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

Timestamp: TypeAlias = int | float | str | None
"""Seconds, milliseconds, microseconds or nanoseconds since the epoch as a number or as text, also with an exponent; a
day `20260101`; ISO 8601; or an HTTP date."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST_MILLISECONDS: Final = 100_000_000_000
"""Smaller numbers are seconds (until the year 5138), larger ones milliseconds (since 1973)."""
_FIRST_DAY, _SMALLEST_SECONDS = 10_000_000, 100_000_000
"""Eight digits are a day (`20260101`, the basic format of ISO 8601) or no time. As seconds they would be before 1973.
Smaller numbers would be even earlier: they are years, counters and truncated times."""
_MICROSECONDS: Final = 1_000
"""Numbers after the latest millisecond are microseconds (since 1978)."""
_NANOSECONDS: Final = 1_000_000
"""Numbers after the latest microsecond are nanoseconds (since 1978)."""
_FLOAT_ERROR: Final = 128
"""A float of nanoseconds may be this much smaller than the number that was written."""
_PAST_NANOSECONDS: Final = 2**63 - 1
"""The largest 64-bit integer, which often means "never"."""
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the last of the year 9999
_NUMBER: Final = re.compile(
    r"\s*(?:[0-9]{1,19}(?:\.[0-9]{1,9})?|[0-9]{1,19}(?:\.[0-9]{1,30})?[eE][+-]?[0-9]{1,2})\s*", re.ASCII
)
_WHOLE: Final = re.compile(r"\s*[0-9]+\s*", re.ASCII)
_HTTP_DATE: Final = re.compile(
    r"\s*(?:[a-z]{3},\s?)?(?P<day>[0-9]{1,2})\s(?P<month>[a-z]{3})\s(?P<year>[0-9]{4})\s"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})\s"
    r"(?:GMT|UTC|(?P<sign>[+-])(?P<off_hours>[0-9]{2})(?P<off_minutes>[0-9]{2}))\s*",
    re.ASCII | re.IGNORECASE,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MILLISECONDS: Final = {f".{number:03d}Z": number for number in range(1000)}
SECOND_LENGTH: Final = len("2026-01-01T00:00:00")
_LONGEST_TEXT: Final = 40


class TimeSource(StrEnum):
    """The source of a record's time."""

    DATETIME = "event.datetime"
    TIMESTAMP = "event.timestamp"
    BOTH = "event.timestamp, with the milliseconds of event.datetime"
    KAFKA = "Kafka, because the event has no readable time"
    NONE = "none: neither the event nor Kafka has a time"


class _Time(NamedTuple):
    """A time in milliseconds since the epoch. ``is_instant`` is false if it has no time zone and UTC was assumed."""

    milliseconds: int
    is_instant: bool


@lru_cache(maxsize=8192)
def _second_text(seconds: int) -> str:
    """Return a second as text. It is cached, because consecutive events share the same few seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=8192)
def _usual_second(timestamp: int) -> str | None:
    """Return a timestamp in seconds as text; None for any other timestamp."""
    return _second_text(timestamp) if 0 < timestamp < _SMALLEST_MILLISECONDS else None


def iso_text(milliseconds: int) -> str:
    """Return an instant, in milliseconds since the epoch, as text."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second_text(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=8192)
def _milliseconds_of_second(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def milliseconds_of(text: str) -> int:
    """Return the milliseconds since the epoch that `iso_text` wrote as text."""
    return _milliseconds_of_second(text[:SECOND_LENGTH]) + MILLISECONDS[text[SECOND_LENGTH:]]


def event_time(timestamp: Timestamp, datetime_text: str | None, stored_milliseconds: int) -> str | None:
    """Return the time of an event as text; None when neither it nor Kafka (``-1``) has one."""
    return own_time(timestamp, datetime_text) or stored_time(stored_milliseconds)


def own_time(timestamp: Timestamp, datetime_text: str | None) -> str | None:
    """Return the event's own time as text; None when it has no readable one."""
    # The usual case needs no parsing: the text is the timestamp's second with milliseconds.
    if (
        datetime_text
        and type(timestamp) is int
        and datetime_text[:SECOND_LENGTH] == _usual_second(timestamp)
        and datetime_text[SECOND_LENGTH:] in MILLISECONDS
    ):
        return datetime_text
    chosen = _chosen(timestamp, datetime_text)
    return None if chosen is None else iso_text(chosen[0])


def stored_time(stored_milliseconds: int) -> str | None:
    """Return the time at which Kafka stored a message as text; None when it has none (``-1``)."""
    milliseconds = _in_range(stored_milliseconds)
    return None if milliseconds is None else iso_text(milliseconds)


def time_source(timestamp: Timestamp, datetime_text: str | None, stored_milliseconds: int) -> TimeSource:
    """Return the source of the time that `event_time` returns."""
    chosen = _chosen(timestamp, datetime_text)
    if chosen is not None:
        return chosen[1]
    return TimeSource.NONE if stored_time(stored_milliseconds) is None else TimeSource.KAFKA


def _chosen(timestamp: Timestamp, datetime_text: str | None) -> tuple[int, TimeSource] | None:
    written = _from_text(datetime_text) if datetime_text else None
    if written is not None and written.is_instant:
        return written.milliseconds, TimeSource.DATETIME
    counted = _from_text(timestamp) if isinstance(timestamp, str) else _from_number(timestamp)
    if written is None:
        return None if counted is None else (counted.milliseconds, TimeSource.TIMESTAMP)
    if counted is None or not counted.is_instant:
        return written.milliseconds, TimeSource.DATETIME
    in_same_second = written.milliseconds // 1000 == counted.milliseconds // 1000
    if in_same_second and written.milliseconds % 1000:
        return written.milliseconds, TimeSource.BOTH
    return counted.milliseconds, TimeSource.TIMESTAMP


def _from_number(number: float | None) -> _Time | None:
    if number is None or not _FIRST_DAY <= number < _PAST_NANOSECONDS:
        return None
    if number < _SMALLEST_SECONDS:
        return _day(int(number))
    if number >= (_LATEST_MILLISECONDS + 1) * _MICROSECONDS:
        nanoseconds = number if isinstance(number, int) else int(number) + _FLOAT_ERROR
        return _instant(nanoseconds // _NANOSECONDS)
    if number > _LATEST_MILLISECONDS:
        return _instant(int(number // _MICROSECONDS))
    return _instant(round(number if number >= _SMALLEST_MILLISECONDS else number * 1000))


def _day(digits: int) -> _Time | None:
    try:
        day = datetime(digits // 10_000, digits // 100 % 100, digits % 100, tzinfo=UTC)
    except ValueError:
        return None
    return _time(day, is_instant=False)


def _from_text(text: str) -> _Time | None:
    if len(text) > _LONGEST_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        return _from_number(int(text) if _WHOLE.fullmatch(text) else _fraction(text))
    if http_date := _HTTP_DATE.fullmatch(text):
        return _from_http_date(http_date)
    bare = text.strip().removesuffix(" UTC")
    try:
        moment = datetime.fromisoformat(bare)
    except ValueError:
        return None
    return _time(moment, is_instant=moment.tzinfo is not None or bare != text.strip())


def _fraction(text: str) -> float:
    """Return a number with decimals or an exponent. From microseconds on, a float would lose digits."""
    number = float(text)
    return number if number <= _LATEST_MILLISECONDS else int(Decimal(text))


def _from_http_date(found: re.Match[str]) -> _Time | None:
    offset = timedelta(hours=int(found["off_hours"] or 0), minutes=int(found["off_minutes"] or 0))
    try:
        moment = datetime(
            int(found["year"]),
            _MONTHS.index(found["month"].lower()) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]),
            tzinfo=timezone(-offset if found["sign"] == "-" else offset),
        )
    except ValueError:
        return None
    return _time(moment, is_instant=True)


def _time(moment: datetime, *, is_instant: bool) -> _Time | None:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    milliseconds = _in_range((moment - _EPOCH) // timedelta(milliseconds=1))
    return None if milliseconds is None else _Time(milliseconds, is_instant)


def _instant(milliseconds: int) -> _Time | None:
    return None if _in_range(milliseconds) is None else _Time(milliseconds, is_instant=True)


def _in_range(milliseconds: int) -> int | None:
    return milliseconds if 0 < milliseconds <= _LATEST_MILLISECONDS else None
