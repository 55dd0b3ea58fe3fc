"""A localized text that came as one text.

Where a template takes ``message.title`` whole, OneSignal renders the object with a text for each language as text:
``{'en':'Flash Sale'}`` with single quotes (domain.md 1.2), ``{"en"=>"Flash Sale"}`` as Ruby writes it, or JSON.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

_LONGEST: Final = 10_000
_LANGUAGE: Final = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}"
_LANGUAGES: Final = re.compile(_LANGUAGE)


def _beginning(quote: str, language: str) -> str:
    return rf"""(?P<{quote}>['"])(?P<{language}>{_LANGUAGE})(?P={quote})\s{{0,9}}(?::|=>)\s{{0,9}}(?P={quote})"""


# Quotes within a text are not escaped, so a text ends where the next language or the end of the object follows.
_ENTRY: Final = re.compile(
    rf"{_beginning('quote', 'language')}(?P<text>.*?)(?P=quote)\s{{0,9}}"
    rf"(?:(?P<last>\}}\s{{0,9}}\Z)|,\s{{0,9}}(?={_beginning('next_quote', 'next_language')}))",
    re.DOTALL,
)
_OPENING: Final = re.compile(r"\{\s{0,9}")
_ESCAPED_QUOTE: Final = re.compile(r"""\\(['"\\])""")


def texts_by_language(text: str) -> dict[str, str] | None:
    """Read a text for each language out of one text; None when it is a text like any other. Total over any text."""
    if text[:1] != "{" or len(text) > _LONGEST:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _from_quoted(text)
    return value if value and all(_LANGUAGES.fullmatch(key) and isinstance(value[key], str) for key in value) else None


def _from_quoted(text: str) -> dict[str, str] | None:
    opening = _OPENING.match(text)
    place = opening.end() if opening else 0
    found: dict[str, str] = {}
    while entry := _ENTRY.match(text, place):
        found[entry["language"]] = _ESCAPED_QUOTE.sub(r"\1", entry["text"])
        if entry["last"]:
            return found
        place = entry.end()
    return None
