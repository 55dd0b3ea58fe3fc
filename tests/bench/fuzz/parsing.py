"""Parse a body with Python's own `json`, whose C scanner knows neither of the libraries that the core reads with."""

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
# A surrogate pair, half a pair, or any other escape, as the version before saw them.
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD](?P<half>[89a-fA-F])..|.)", re.DOTALL)
_ENDLESS: Final = re.compile(r"[0-9]{309}")
_MARK: Final = b"\xef\xbb\xbf"


class Whole(str):
    """An integer beyond 64 bits, as its digits stand in the body."""

    __slots__ = ()


class Unparsable(Exception):  # noqa: N818 -- an answer rather than an error
    """The body is no JSON, or not in UTF-8."""


class Document:
    """What a body holds.

    ``is_clean`` is false for bytes that are no UTF-8 and for numbers beyond any float. ``has_broken_half`` tells of an
    escape that a quote cuts short, which was taken for half a character.
    """

    def __init__(self, body: bytes, *, controls: bool) -> None:
        """Parse a body; with `controls`, control characters may stand in its strings as they are.

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
        """Put the replacement character for half a character."""
        if escape["half"] is None:
            return escape[0]
        self.has_broken_half = self.has_broken_half or b'"' in escape[0]
        return b"\\ufffd"

    @property
    def is_clean(self) -> bool:
        return not (self.has_foreign_bytes or self.has_infinity)

    def text(self, text: str) -> str | None:
        """Return a text; None where its bytes are no UTF-8."""
        return None if self.has_foreign_bytes and _SURROGATES.search(text) else text

    def is_foul(self, value: object) -> bool:
        """Return whether a value holds bytes that are no UTF-8, or a number beyond any float."""
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
