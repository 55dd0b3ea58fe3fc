"""Parse a body with Python's own `json`, whose C scanner is independent of the libraries that the core uses."""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, Final

LONGEST_WHOLE: Final = 100
_SMALLEST, _PAST_LARGEST = -(2**63), 2**64
_MOST_DIGITS_OF_A_FLOAT: Final = 308
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
# A surrogate pair, half a pair, or any other escape, as the previous version read them.
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD](?P<half>[89a-fA-F])..|.)", re.DOTALL)
_ENDLESS: Final = re.compile(r"[0-9]{309}")
_MARK: Final = b"\xef\xbb\xbf"


class Whole(str):
    """An integer beyond 64 bits, with the digits that are in the body."""

    __slots__ = ()


class Unparsable(Exception):  # noqa: N818 -- an answer rather than an error
    """The body is not JSON, or not UTF-8."""


class Document:
    """The content of a body.

    ``is_clean`` is false for bytes that are not UTF-8 and for numbers beyond any float. ``has_broken_half`` is true for
    an escape that a quote cuts short, which was read as half a character.
    """

    def __init__(self, body: bytes, *, controls: bool) -> None:
        """Parse a body; with `controls`, its strings may contain raw control characters.

        Raises:
            Unparsable: it cannot be read at all.
        """
        self.has_mark = body.startswith(_MARK)
        self.has_foreign_bytes = False
        self.has_infinity = False
        self.has_endless_whole = False
        self.has_broken_half = False
        value = body.removeprefix(_MARK)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            self.has_foreign_bytes = True
            text = value.decode(errors="surrogateescape")
        if not self.has_foreign_bytes and _HALF.search(value):
            text = self._without_halves(value)
        decoder = json.JSONDecoder(
            strict=not controls, parse_int=self._whole, parse_float=self._float, parse_constant=_refuse
        )
        try:
            self.tree: Any = decoder.decode(text)
        except (ValueError, RecursionError) as error:
            raise Unparsable from error

    def _without_halves(self, value: bytes) -> str:
        try:
            return _ESCAPE.sub(self._without_half, value).decode()
        except UnicodeDecodeError as error:
            raise Unparsable from error

    def _without_half(self, escape: re.Match[bytes]) -> bytes:
        """Return the replacement character instead of half a character."""
        if escape["half"] is None:
            return escape[0]
        self.has_broken_half = self.has_broken_half or b'"' in escape[0]
        return b"\\ufffd"

    @property
    def is_clean(self) -> bool:
        return not (self.has_foreign_bytes or self.has_infinity)

    def text(self, text: str) -> str | None:
        """Return a text; None if its bytes are not UTF-8."""
        return None if self.has_foreign_bytes and _SURROGATES.search(text) else text

    def is_foul(self, value: object) -> bool:
        """Return whether a value contains bytes that are not UTF-8, or a number beyond any float."""
        if self.is_clean and not self.has_endless_whole:
            return False
        written = json.dumps(value, ensure_ascii=False)
        return bool(_SURROGATES.search(written) or "Infinity" in written or _ENDLESS.search(written))

    def _whole(self, digits: str) -> int | Whole:
        if len(digits) < 20:
            return int(digits)
        if len(digits) > _MOST_DIGITS_OF_A_FLOAT:
            self.has_endless_whole = True
            return Whole(digits)
        number = int(digits)
        return number if _SMALLEST <= number < _PAST_LARGEST else Whole(digits)

    def _float(self, digits: str) -> float:
        number = float(digits)
        self.has_infinity = self.has_infinity or isinf(number)
        return number


def _refuse(constant: str) -> None:
    raise ValueError(constant)
