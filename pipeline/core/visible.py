"""Text in which every character that controls a terminal, is invisible or reorders text is escaped."""

from __future__ import annotations

import unicodedata
from typing import Final

_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's general categories of control, format, surrogate, line separator and paragraph separator.

The format characters include those that change the writing direction, zero-width ones and the tag block.
"""
_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_FIRST_BEYOND_TWO_BYTES: Final = 0x10000


def visible(text: str) -> str:
    r"""Return a text on one line without characters that control a terminal. They are escaped as in JSON, `\u001b`.

    So JSON keeps its meaning. Backslashes stay as they are. The function is idempotent.
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
