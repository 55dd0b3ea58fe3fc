"""Whether an id is empty: `Section.IDS`. Both answers are accepted if it is not defined."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS: Final = frozenset(
    {
        *("anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "0", "-1", "true", "false"),
        *("nan", "all"),
    }
)
BLANK_TEXTS: Final = frozenset(
    {"null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"}
)
"""Texts that mean no value, in exactly this spelling."""

_QUOTES: Final = frozenset("'\"\u2018\u2019\u201c\u201d\u00ab\u00bb")
_MORE_QUOTES: Final = _QUOTES | frozenset(
    "`\u00b4\u2032\u2033\u2039\u203a\u201a\u201e\u201b\u201f\uff02\uff07\uff40"
    "\u275b\u275c\u275d\u275e\u275f\u2760\u301d\u301e\u301f"
)
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_TEMPLATE: Final = re.compile(
    r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}|\$\{[^${}]+\}|\[object [^\[\]]*\]", re.DOTALL
)
_LIKE_A_TEMPLATE: Final = re.compile(r"\{\{.*\}\}|\{%.*%\}|\$\{.*\}|\[object.*\]", re.DOTALL)
_OPTIONAL: Final = re.compile(r"optional\((.*)\)", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*[1-9][A-Za-z0-9-]*[A-Za-z0-9]")


def emptiness(text: str) -> bool | None:
    """Return whether an id is empty; None if it is not defined."""
    return False if _PLAIN.fullmatch(text) else _emptiness(text)


@lru_cache(maxsize=65_536)
def _emptiness(text: str) -> bool | None:
    folded = text.casefold()
    answers = {
        _is_empty(folded, broad=broad, outer=outer)
        for broad in (False, True)
        for outer in (_both_ends, _one_pair, _one_end)
    }
    return answers.pop() if len(answers) == 1 else None


def _is_empty(text: str, *, broad: bool, outer: Callable[[str, bool], str]) -> bool:
    text = _trimmed(text, broad=broad)
    if (_LIKE_A_TEMPLATE if broad else _TEMPLATE).fullmatch(text):
        return True
    while True:
        text = _trimmed(text, broad=broad)
        optional = _OPTIONAL.fullmatch(text)
        inner = optional[1] if optional else outer(text, broad)
        if inner == text:
            break
        text = inner
        if broad and _LIKE_A_TEMPLATE.fullmatch(_trimmed(text, broad=True)):
            return True
    return text in WORDS or all(_says_nothing(character, broad=broad) for character in text)


def _trimmed(text: str, *, broad: bool) -> str:
    first, last = 0, len(text)
    while first < last and _is_around(text[first], broad=broad):
        first += 1
    while first < last and _is_around(text[last - 1], broad=broad):
        last -= 1
    return text[first:last]


def _is_around(character: str, *, broad: bool) -> bool:
    if _is_unseen(character, broad=broad) or character in _QUOTES:
        return True
    return broad and (character in _MORE_QUOTES or category(character) in {"Pi", "Pf"})


def _both_ends(text: str, broad: bool) -> str:  # noqa: FBT001 -- called positionally
    first, last = 0, len(text)
    while first < last and _is_bracket(text[first]):
        first += 1
        if broad and _OPTIONAL.fullmatch(text[first:last]):
            break
    while first < last and _is_bracket(text[last - 1]):
        last -= 1
    return text[first:last]


def _one_pair(text: str, _broad: bool) -> str:  # noqa: FBT001 -- called positionally
    return text[1:-1] if len(text) > 1 and _is_bracket(text[0]) and _is_bracket(text[-1]) else text


def _one_end(text: str, _broad: bool) -> str:  # noqa: FBT001 -- called positionally
    if text and _is_bracket(text[-1]):
        return text[:-1]
    return text[1:] if text and _is_bracket(text[0]) else text


def _is_bracket(character: str) -> bool:
    return character in "<>\u226a\u226b\ufe64\ufe65\uff1c\uff1e" or category(character) in {"Ps", "Pe"}


def _is_unseen(character: str, *, broad: bool) -> bool:
    if character.isspace() or character == "\x00":
        return True
    kind = category(character)
    return kind == "Cf" or (broad and (kind == "Cc" or _INVISIBLE.match(character) is not None))


def _says_nothing(character: str, *, broad: bool) -> bool:
    if character == "0" or _is_unseen(character, broad=broad):
        return True
    kind = category(character)
    if kind.startswith("P") or character in "<>":
        return True
    return broad and (character in "$+=^`|~\u00b4" or (kind == "Nd" and int(character) == 0))
