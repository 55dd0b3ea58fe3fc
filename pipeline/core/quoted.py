"""Objects as templates write them where they are taken whole: with single quotes, or as Ruby writes a hash.

``{'en':'Flash Sale'}`` (domain.md 1.2), ``{'en': "It's on"}`` as Python writes it, ``{"en"=>"Flash Sale"}`` as Ruby
does. Quotes within a text are not escaped, so a text ends where the next key or the end of the object follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadQuoted: TypeAlias = Callable[[str], dict[str, str] | None]

_ARROW: Final = r"\s{0,9}(?::|=>)\s{0,9}"
_OPENING: Final = re.compile(r"\{\s{0,9}")
_ESCAPED_QUOTE: Final = re.compile(r"""\\(['"\\])""")
_BARE_VALUE: Final = r"-?[0-9]{1,100}(?:\.[0-9]{1,20})?|[Tt]rue|[Ff]alse|null|nil|None"
_NOTHING: Final = frozenset({"null", "nil", "None"})


def quoted_reader(key: str, *, bare_values: bool = False) -> ReadQuoted:
    """Make the reader of objects whose keys match a pattern, and whose values are texts in quotes.

    The key may be in other quotes than its value. ``bare_values`` are numbers and booleans without quotes, which become
    their text, and null, whose key is left out. The reader returns None for any other text; its time is linear in the
    length.
    """
    quoted_key = rf"(?:'(?:{key})'|\"(?:{key})\")"
    value_begins = rf"(?:['\"]|{_BARE_VALUE})" if bare_values else r"['\"]"
    bare = rf"|(?P<bare>{_BARE_VALUE})" if bare_values else r"|(?P<bare>(?!))"
    matches = re.compile(
        rf"(?P<key>{quoted_key}){_ARROW}(?:(?P<quote>['\"])(?P<text>.*?)(?P=quote){bare})\s{{0,9}}"
        rf"(?:(?P<last>\}}\s{{0,9}}\Z)|,\s{{0,9}}(?={quoted_key}{_ARROW}{value_begins}))",
        re.DOTALL,
    ).match

    def read(text: str) -> dict[str, str] | None:
        opening = _OPENING.match(text)
        place = opening.end() if opening else len(text)
        found: dict[str, str] = {}
        while entry := matches(text, place):
            bare_value = entry["bare"]
            if bare_value is None:
                found[entry["key"][1:-1]] = _ESCAPED_QUOTE.sub(r"\1", entry["text"])
            elif bare_value not in _NOTHING:
                found[entry["key"][1:-1]] = bare_value.lower()
            if entry["last"]:
                return found
            place = entry.end()
        return None

    return read
