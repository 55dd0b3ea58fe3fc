"""Whether an id is empty. The same rules apply to every id that the pipeline reads.

Templates, SDKs and exports write placeholders where an id is missing: ``null``, ``nan``, ``[object Object]``, a
variable that was not rendered. If they were used as ids, many people would become one. Sources: Mixpanel's list of
disallowed ids (schemas/SOURCES.md, "Mixpanel disallowed ids"), public receivers and bug reports.
"""

from __future__ import annotations

import re
import string
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

DISALLOWED_IDS: Final = frozenset(
    {
        "",
        NIL_UUID,
        "anon",
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "<nil>",
        "0",
        "-1",
        "true",
        "false",
        "[]",
        "{}",
        "nan",
        "all",
    },
)
"""Placeholders in lower case: those that Mixpanel refuses
(schemas/SOURCES.md, "Mixpanel disallowed ids"), and two that exports write."""


class IdField(StrEnum):
    """The ids of an event. Safe as a metric label."""

    EXTERNAL_ID = "external_id"
    SUBSCRIPTION_ID = "subscription_id"
    ONESIGNAL_ID = "onesignal_id"
    EVENT_ID = "event_id"
    MESSAGE_ID = "message_id"
    TEMPLATE_ID = "template_id"
    APP_ID = "app_id"


class EmptyReason(StrEnum):
    """Why an id is empty, as text for an operator. A blank id is absent, not ignored."""

    BLANK = "blank"
    NOTHING_LEFT = "it consists of white space, quotes and brackets"
    WORD = "it is a placeholder for a missing id"
    NOBODY = "it is listed in PIPELINE_NOBODY_IDS"
    ZEROS = "it consists of zeros and punctuation"
    TEMPLATE = "it is a template that was not rendered"
    OBJECT = "it is an object that was converted to text"
    UNREADABLE = "it is neither text nor an integer whose digits are all known"
    PERSONAL = "it looks like an address, a phone number or a token"


class IgnoredId(msgspec.Struct, frozen=True, gc=False):
    """An id that was present and not used. ``path`` is its field, such as ``user.external_id``."""

    path: str
    field: IdField
    text: str
    reason: EmptyReason


_QUOTES: Final = frozenset(
    "\"'`\u00b4\u201a\u201e\u2032\u2033\u275b\u275c\u275d\u275e\u275f\u2760\u301d\u301e\u301f\uff02\uff07\uff40"
)
_QUOTE_CATEGORIES: Final = frozenset({"Pi", "Pf"})
_ANGLES: Final = frozenset("<>\u226a\u226b\ufe64\ufe65\uff1c\uff1e")
_BRACKET_CATEGORIES: Final = frozenset({"Ps", "Pe"})
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# Characters that Unicode renders as nothing although their category does not show it, and the Braille blank.
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\uffa0").union(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)))
)
_PUNCTUATION: Final = frozenset(string.punctuation)
_OPTIONAL: Final = "optional("
_TEMPLATE: Final = re.compile(r"\{\{++(?:(?!\}\}).)*+\}\}+|\{%(?:(?!%\}).)*+%\}|\$\{[^}]*+\}", re.DOTALL)
_OBJECT: Final = re.compile(r"\[object\s[^\]]*+\]", re.IGNORECASE)
_SOLID: Final = string.ascii_letters + "123456789"
_KEPT: Final = _SOLID + "0-_.:@+/|~"
"""ASCII characters that are not white space, quotes or brackets."""


class EmptyIds:
    """Decides which ids are empty: by rules, by the usual placeholders, and by the user's own.

    Three sets decide nearly every id in 20 to 70 ns, so code that runs for each event checks them first. An id is not
    empty if its first character is in ``sure_first``, its last in ``sure_last``, or its first two are in
    ``sure_start``. These are letters and digits that are never stripped, no placeholder begins or ends with them, and
    they are not all zeros.
    """

    __slots__ = ("_longest", "_own", "_words", "sure_first", "sure_last", "sure_start")

    def __init__(self, own_words: Iterable[str] = ()) -> None:
        self._own = frozenset(_core(word).casefold() for word in own_words)
        self._words = frozenset(word for word in DISALLOWED_IDS if word) | self._own
        self._longest = max(map(len, self._words))
        starts = {start[:2] for start in (*self._words, _OPTIONAL)}
        firsts, lasts = {start[:1] for start in starts}, {word[-1:] for word in self._words}
        self.sure_first = frozenset(each for each in _SOLID if each.lower() not in firsts)
        self.sure_last = frozenset(each for each in _SOLID if each.lower() not in lasts)
        self.sure_start = frozenset(
            first + second
            for first in string.ascii_letters + string.digits
            for second in _KEPT
            if (first + second).lower() not in starts and (first in _SOLID or second in _SOLID)
        )

    @property
    def own_words(self) -> frozenset[str]:
        """The user's own placeholders, in the form in which they are compared."""
        return self._own

    def reason(self, text: str) -> EmptyReason | None:
        """Return why an id is empty; None when it is not."""
        if not text or text.isspace():
            return EmptyReason.BLANK
        if text[0] in self.sure_first or text[:2] in self.sure_start:
            return None
        written = _without(text, keeps_brackets=True)
        if _TEMPLATE.fullmatch(written) or _is_one_in_braces(written):
            return EmptyReason.TEMPLATE
        if _OBJECT.fullmatch(written):
            return EmptyReason.OBJECT
        return self._reason_of_core(_core(text))

    def _reason_of_core(self, core: str) -> EmptyReason | None:
        if not core:
            return EmptyReason.NOTHING_LEFT
        if len(core) <= self._longest and (word := core.casefold()) in self._words:
            return EmptyReason.NOBODY if word in self._own else EmptyReason.WORD
        return EmptyReason.ZEROS if all(map(_is_hollow, core)) else None


def _core(text: str) -> str:
    """Return an id without surrounding white space, invisible characters, quotes, brackets and ``Optional(…)``."""
    return _without(text, keeps_brackets=False)


def _is_one_in_braces(text: str) -> bool:
    """Return whether a text is one template that contains braces, such as ``${{ id }}``."""
    if not (text.startswith("${") or (text.startswith("{{") and text.endswith("}}"))):
        return False
    depth = 0
    for length, character in enumerate(text, 1):
        depth += (character == "{") - (character == "}")
        if character == "}" and depth <= 0:
            return depth == 0 and length == len(text)
    return False


def _without(text: str, *, keeps_brackets: bool) -> str:
    start, end = 0, len(text)
    while start < end:
        first, last = text[start], text[end - 1]
        if _is_wrapping(first):
            start += 1
        elif _is_wrapping(last):
            end -= 1
        elif last == ")" and text[start : start + len(_OPTIONAL)].lower() == _OPTIONAL:
            start, end = start + len(_OPTIONAL), end - 1
        elif keeps_brackets:
            break
        elif _is_bracket(first) or _is_bracket(last):
            start += _is_bracket(first)
            end -= _is_bracket(last)
        else:
            break
    return text[start:end]


@lru_cache(maxsize=1024)
def _is_wrapping(character: str) -> bool:
    """Return whether a character is white space, a quote, or invisible."""
    category = unicodedata.category(character)
    return (
        character in _QUOTES
        or character in _INVISIBLE
        or character.isspace()
        or category in _QUOTE_CATEGORIES
        or category in _INVISIBLE_CATEGORIES
    )


@lru_cache(maxsize=1024)
def _is_bracket(character: str) -> bool:
    return character in _ANGLES or unicodedata.category(character) in _BRACKET_CATEGORIES


@lru_cache(maxsize=1024)
def _is_hollow(character: str) -> bool:
    """Return whether a character carries no information: a zero, punctuation, white space, or invisible."""
    return (
        character in _PUNCTUATION
        or unicodedata.decimal(character, -1) == 0
        or unicodedata.category(character)[0] == "P"
        or _is_wrapping(character)
    )


EMPTY_IDS: Final = EmptyIds()
"""The rules with the usual placeholders only."""
