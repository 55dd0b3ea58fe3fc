"""When an event happened, as the ISO 8601 text that Segment takes: UTC, to the millisecond.

``event.timestamp`` has seconds, ``event.datetime`` the same instant with milliseconds (domain.md 1.2), so a readable
``datetime`` wins, then ``timestamp``, then the time at which Kafka stored the message.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

Timestamp: TypeAlias = int | float | str | None
"""Seconds, milliseconds or microseconds since the epoch as a number or as a text, a day `20260101`, or ISO 8601."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST_MILLISECONDS: Final = 100_000_000_000
"""Below: seconds (until the year 5138). From here on: milliseconds (since 1973)."""
_FIRST_DAY, _PAST_DAYS = 10_000_000, 100_000_000
"""Eight digits are a day (`20260101`, ISO 8601's basic form) or nothing; as seconds they would end in 1973."""
_MICROSECONDS: Final = 1_000
"""Beyond the last millisecond: microseconds (since 1978)."""
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the last of the year 9999
_NUMBER: Final = re.compile(r"\s*[0-9]{1,18}(?:\.[0-9]{1,9})?\s*", re.ASCII)
_MILLISECONDS: Final = frozenset(f".{number:03d}Z" for number in range(1000))
_SECOND_LENGTH: Final = len("2026-01-01T00:00:00")
_LONGEST_TEXT: Final = 40


@lru_cache(maxsize=8192)
def _second_text(seconds: int) -> str:
    """Write a second. Events come in runs of the same few seconds, so it is remembered."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def iso_text(milliseconds: int) -> str:
    """Write an instant, in milliseconds since the epoch."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second_text(seconds)}.{rest:03d}Z"


def event_time(timestamp: Timestamp, datetime_text: str | None, stored_milliseconds: int) -> str | None:
    """Choose and write the time of an event; None when neither it nor Kafka (``-1``) tells one."""
    # The usual case needs no parsing: the text is the timestamp's own second, with milliseconds.
    if (
        datetime_text
        and datetime_text[_SECOND_LENGTH:] in _MILLISECONDS
        and isinstance(timestamp, int)
        and 0 < timestamp < _SMALLEST_MILLISECONDS
        and datetime_text[:_SECOND_LENGTH] == _second_text(timestamp)
    ):
        return datetime_text
    milliseconds = _from_text(datetime_text) if datetime_text else None
    if milliseconds is None:
        milliseconds = _from_text(timestamp) if isinstance(timestamp, str) else _from_number(timestamp)
    if milliseconds is None:
        milliseconds = _in_range(stored_milliseconds)
    return None if milliseconds is None else iso_text(milliseconds)


def _from_number(number: float | None) -> int | None:
    if number is None or number < 0 or number >= (_LATEST_MILLISECONDS + 1) * _MICROSECONDS:
        return None
    if number > _LATEST_MILLISECONDS:
        return _in_range(int(number // _MICROSECONDS))
    if _FIRST_DAY <= number < _PAST_DAYS:
        return _day(int(number))
    return _in_range(round(number if number >= _SMALLEST_MILLISECONDS else number * 1000))


def _day(digits: int) -> int | None:
    try:
        day = datetime(digits // 10_000, digits // 100 % 100, digits % 100, tzinfo=UTC)
    except ValueError:
        return None
    return _in_range((day - _EPOCH) // timedelta(milliseconds=1))


def _from_text(text: str) -> int | None:
    if len(text) > _LONGEST_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        return _from_number(float(text) if "." in text else int(text))
    try:
        instant = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        return None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return _in_range((instant - _EPOCH) // timedelta(milliseconds=1))


def _in_range(milliseconds: int) -> int | None:
    return milliseconds if 0 < milliseconds <= _LATEST_MILLISECONDS else None
