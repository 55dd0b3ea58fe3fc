"""Read JSON that templates have written almost right.

Two kinds of fault are repaired, once parsing has failed, so JSON that parses pays nothing for it: control characters
that stand in a string as they are, and half of a surrogate pair, which OneSignal's clipping of contents leaves of an
emoji. A quote that is not escaped cannot be repaired: nothing tells where its string ends.

orjson makes a float of an integer beyond 64 bits. `with_exact_integers` puts such integers into quotes first.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from pipeline.core.outcomes import RejectReason

_BEYOND: Final = 2.0**63
LONGEST_INTEGER: Final = 100
"""Digits of an integer that are kept exactly."""
_MOST_DIGITS_OF_A_FLOAT: Final = 308
_TOO_LONG: Final = b"1e300"
"""Stands for an integer that is too large even for a float."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# Possessive repeats, and an end of the text in place of the closing quote, keep the time linear.
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_STRINGS_OR_NUMBERS: Final = re.compile(
    _STRING + rb"|(?<![0-9.eE+\-])(?P<integer>-?+[0-9]{19,}+)(?![0-9.eE])", re.DOTALL
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


def with_finite_integers(text: bytes) -> bytes:
    """Shorten integers that are too large even for a float, which no parser takes."""
    return _STRINGS_OR_NUMBERS.sub(_finite, text)


def parse_exactly(value: bytes) -> Any:
    """Parse JSON that `parse_json` could read, with the digits of integers beyond 64 bits as texts."""
    return parse_json(with_exact_integers(value.removeprefix(_BYTE_ORDER_MARK)))


def _exact(found: re.Match[bytes]) -> bytes:
    integer = found["integer"]
    is_kept = integer is None or len(integer.lstrip(b"-")) > LONGEST_INTEGER
    return found.group() if is_kept else b'"%s"' % integer


def _finite(found: re.Match[bytes]) -> bytes:
    integer = found["integer"]
    is_finite = integer is None or len(integer.lstrip(b"-")) <= _MOST_DIGITS_OF_A_FLOAT
    return found.group() if is_finite else _TOO_LONG


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
