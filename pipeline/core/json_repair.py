"""Read JSON that templates have written almost right.

Two kinds of fault are repaired, once parsing has failed, so JSON that parses pays nothing for it: control characters
that stand in a string as they are, and half of a surrogate pair, which OneSignal's clipping of contents leaves of an
emoji. A quote that is not escaped cannot be repaired: nothing tells where its string ends.

orjson makes a float of an integer beyond 64 bits. `with_exact_integers` puts such integers into quotes first.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

import orjson

from pipeline.core.outcomes import RejectReason

_BEYOND: Final = 2.0**63
LONGEST_INTEGER: Final = 100
"""Digits of an integer that are kept exactly."""
_TOO_LARGE: Final = b"1e300"
"""Stands for a number that is too large even for a float."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# Possessive repeats, and an end of the text in place of the closing quote, keep the time linear.
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_STRINGS_OR_NUMBERS: Final = re.compile(
    _STRING + rb"|(?<![0-9.eE+\-])(?P<integer>-?+[0-9]{19,}+)(?![0-9.eE])", re.DOTALL
)
_STRINGS_OR_ANY_NUMBERS: Final = re.compile(
    _STRING + rb"|(?P<number>-?+[0-9]++(?:\.[0-9]++)?+(?:[eE][+\-]?+[0-9]++)?+)", re.DOTALL
)
# Every escape of a JSON string, left to right: a surrogate pair, half of one, or any other; or raw control characters.
_FAULTS: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)|(?P<raw>[\x00-\x1f]++)", re.DOTALL
)
_ESCAPES: Final = {number: f"\\u{number:04x}" for number in range(32)}


def parse_json(value: bytes) -> Any:
    """Parse JSON, repaired where that is needed; return a `RejectReason` where it cannot be read. Total."""
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


def with_exact_integers(text: bytes) -> bytes:
    """Put integers of 19 digits and more into quotes, which every field that takes a number reads like the number."""
    return _STRINGS_OR_NUMBERS.sub(_exact, text)


def with_finite_numbers(text: bytes) -> bytes:
    """Replace numbers that are too large even for a float, which no parser takes."""
    return _STRINGS_OR_ANY_NUMBERS.sub(_finite, text)


def parse_exactly(value: bytes) -> Any:
    """Parse JSON that `parse_json` could read, with the digits of integers beyond 64 bits as texts."""
    return parse_json(with_exact_integers(value.removeprefix(_BYTE_ORDER_MARK)))


def parse_alone(text: bytes | memoryview) -> Any:
    """Parse one value of a body, with its exact digits where it is a long integer; None where it cannot be read.

    A number that is too large for a float is another one that is as large.
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
    """Return whether orjson may have made this float of an integer that it could not hold."""
    return isinstance(value, float) and abs(value) >= _BEYOND
