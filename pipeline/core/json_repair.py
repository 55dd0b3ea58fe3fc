"""Read JSON with the faults that templates produce.

Two faults are repaired after parsing has failed, so valid JSON costs nothing extra: unescaped control characters in a
string, and half of a surrogate pair, which remains of an emoji when OneSignal clips the contents. An unescaped quote
cannot be repaired, because the end of its string is unknown.

orjson converts an integer beyond 64 bits to a float. `with_exact_integers` puts such integers into quotes first.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

import orjson

from pipeline.core.outcomes import RejectReason

_BEYOND: Final = 2.0**63
LONGEST_INTEGER: Final = 100
"""Integers with more digits are not kept exactly."""
_TOO_LARGE: Final = b"1e300"
"""Replaces a number that is too large for a float."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# Possessive quantifiers, and the end of the text as an alternative to the closing quote, keep the time linear.
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_STRINGS_OR_NUMBERS: Final = re.compile(
    _STRING + rb"|(?<![0-9.eE+\-])(?P<integer>-?+[0-9]{19,}+)(?![0-9.eE])", re.DOTALL
)
_STRINGS_OR_ANY_NUMBERS: Final = re.compile(
    _STRING + rb"|(?P<number>-?+[0-9]++(?:\.[0-9]++)?+(?:[eE][+\-]?+[0-9]++)?+)", re.DOTALL
)
# From left to right in a JSON string: an escaped surrogate pair, half of one, any other escape, or control characters.
_FAULTS: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)|(?P<raw>[\x00-\x1f]++)", re.DOTALL
)
_ESCAPES: Final = {number: f"\\u{number:04x}" for number in range(32)}


def parse_json(value: bytes) -> Any:
    """Parse JSON, repaired if necessary; return a `RejectReason` when it cannot be read. Never raises."""
    text = value.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = _reason(text, error)
    if reason is not RejectReason.NOT_JSON:
        return reason
    try:
        return orjson.loads(_repaired(text))
    except orjson.JSONDecodeError as error:
        return _reason(text, error)


def fault_in(value: bytes) -> str | None:
    """Return what prevents a body from being parsed and where, without any part of it; None if nothing does.

    A line and a column count in the repaired body, which may be a little longer.
    """
    try:
        value.decode()
        orjson.loads(_repaired(value.removeprefix(_BYTE_ORDER_MARK)))
    except UnicodeDecodeError as error:
        return f"{error.reason} at byte {error.start}"
    except orjson.JSONDecodeError as error:
        return str(error)
    return None


def with_exact_integers(text: bytes) -> bytes:
    """Return JSON with integers of 19 or more digits in quotes. Every number field accepts such a text too."""
    return _STRINGS_OR_NUMBERS.sub(_exact, text)


def with_finite_numbers(text: bytes) -> bytes:
    """Return JSON without numbers that are too large for a float, which no parser accepts."""
    return _STRINGS_OR_ANY_NUMBERS.sub(_finite, text)


def parse_exactly(value: bytes) -> Any:
    """Parse JSON that `parse_json` could read, with integers beyond 64 bits as texts."""
    return parse_json(with_exact_integers(value.removeprefix(_BYTE_ORDER_MARK)))


def parse_alone(text: bytes | memoryview) -> Any:
    """Parse one value of a body, a long integer with its exact digits; None when it cannot be read.

    A number that is too large for a float becomes some other large number.
    """
    text = bytes(text)
    value = parse_json(text)
    if value is RejectReason.NOT_JSON:
        value = parse_json(with_finite_numbers(text))
    elif beyond_64_bits(value):
        value = parse_exactly(text)
    return None if isinstance(value, RejectReason) else value


def _exact(found: re.Match[bytes]) -> bytes:
    integer = found["integer"]
    is_kept = integer is None or len(integer.lstrip(b"-")) > LONGEST_INTEGER
    return found.group() if is_kept else b'"%s"' % integer


def _finite(found: re.Match[bytes]) -> bytes:
    number = found["number"]
    return found.group() if number is None or isfinite(float(number)) else _TOO_LARGE


def _repaired(text: bytes) -> bytes:
    return _STRINGS.sub(lambda found: _FAULTS.sub(_repaired_fault, found.group()), text)


def _repaired_fault(fault: re.Match[bytes]) -> bytes:
    raw = fault["raw"]
    if raw is not None:
        return raw.decode().translate(_ESCAPES).encode()
    return b"\\ufffd" if fault["half"] else fault.group()


def _reason(text: bytes, error: orjson.JSONDecodeError) -> RejectReason:
    if "depth" in str(error):
        return RejectReason.TOO_DEEP
    try:
        text.decode()
    except UnicodeDecodeError:
        return RejectReason.NOT_UTF8
    return RejectReason.NOT_JSON


def beyond_64_bits(value: object) -> bool:
    """Return whether this float may be an integer that orjson converted because it exceeds 64 bits."""
    return isinstance(value, float) and abs(value) >= _BEYOND
