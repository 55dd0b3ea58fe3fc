"""Text with every character that a terminal obeys, hides or reorders by, written as an escape."""

from __future__ import annotations

import unicodedata
from typing import Final

_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's general categories of control, format, surrogate, line separator and paragraph separator.

Among the format characters are those that turn the direction of writing, zero-width ones and the block of tags.
"""
_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_FIRST_BEYOND_TWO_BYTES: Final = 0x10000


def visible(text: str) -> str:
    r"""Return a text on one line in which nothing steers a terminal: what would is written as JSON writes it, `\u001b`.

    So JSON stays the same JSON. A backslash stays as it is. Doing it twice changes nothing.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(each) if unicodedata.category(each) in _HARMFUL else each for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < _FIRST_BEYOND_TWO_BYTES:
        return _SHORT.get(character, f"\\u{code:04x}")
    high, low = divmod(code - _FIRST_BEYOND_TWO_BYTES, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
