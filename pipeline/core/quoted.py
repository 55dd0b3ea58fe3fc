"""Objects as templates write them where they are taken whole: with single quotes, or as Ruby writes a hash.

``{'en':'Flash Sale'}`` (schemas/SOURCES.md, "OneSignal event variables"), ``{'en': "It's on"}`` as Python
writes it, ``{"en"=>"Flash Sale"}`` as Ruby does. Quotes within a text are not escaped, so a text ends where the next
key, whatever it is, or the end of the object follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadQuoted: TypeAlias = Callable[[str], dict[str, str | None] | None]

_ARROW: Final = r"\s{0,9}(?::|=>)\s{0,9}"
_OPENING: Final = re.compile(r"\{\s{0,9}")
_ESCAPED_QUOTE: Final = re.compile(r"""\\(['"\\])""")
ANY_KEY: Final = r"[^'\"]{1,200}"
NULL: Final = r"null|nil|None"
PLAIN_VALUE: Final = rf"-?[0-9]{{1,100}}(?:\.[0-9]{{1,20}})?|[Tt]rue|[Ff]alse|{NULL}"
_NOTHING: Final = frozenset(NULL.split("|"))
_NEXT_KEY: Final = rf"(?:'{ANY_KEY}'|\"{ANY_KEY}\"){_ARROW}"


def quoted_reader(key: str, *, bare_value: str = NULL) -> ReadQuoted:
    """Make the reader of objects whose keys match a pattern, and whose values are texts in quotes.

    The key may be in other quotes than its value. Values that match ``bare_value`` need no quotes and become their
    text; null is None. The reader returns None for any other text; its time is linear in the length.
    """
    matches = re.compile(
        rf"(?P<key>'(?:{key})'|\"(?:{key})\"){_ARROW}"
        rf"(?:(?P<quote>['\"])(?P<text>.*?)(?P=quote)|(?P<bare>{bare_value}))\s{{0,9}}"
        rf"(?:(?P<last>\}}\s{{0,9}}\Z)|,\s{{0,9}}(?={_NEXT_KEY}))",
        re.DOTALL,
    ).match

    def read(text: str) -> dict[str, str | None] | None:
        opening = _OPENING.match(text)
        place = opening.end() if opening else len(text)
        found: dict[str, str | None] = {}
        while entry := matches(text, place):
            name, bare = entry["key"][1:-1], entry["bare"]
            if bare is None:
                found[name] = _ESCAPED_QUOTE.sub(r"\1", entry["text"])
            else:
                found[name] = None if bare in _NOTHING else bare.lower()
            if entry["last"]:
                return found
            place = entry.end()
        return None

    return read
