"""Read objects as templates render them: with single quotes, or as Ruby writes a hash.

``{'en':'Flash Sale'}`` (schemas/SOURCES.md, "OneSignal event variables"), ``{'en': "It's on"}`` as Python
writes it, ``{"en"=>"Flash Sale"}`` as Ruby does. Quotes within a text are not escaped, so a text ends only where
another key or the end of the object follows.
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
    """Return a reader of objects whose keys match a pattern and whose values are texts in quotes.

    Key and value may have different quotes. Values that match ``bare_value`` need no quotes and become texts; null
    becomes None. The reader returns None for any other text. It takes time linear in the length.
    """
    matches = re.compile(
        rf"(?P<key>'(?:{key})'|\"(?:{key})\"){_ARROW}"
        rf"(?:(?P<quote>['\"])(?P<text>.*?)(?P=quote)|(?P<bare>{bare_value}))\s{{0,9}}"
        rf"(?:(?P<last>\}}\s{{0,9}}\Z)|,\s{{0,9}}(?={_NEXT_KEY}))",
        re.DOTALL,
    ).match

    def read(text: str) -> dict[str, str | None] | None:
        opening = _OPENING.match(text)
        position = opening.end() if opening else len(text)
        found: dict[str, str | None] = {}
        while member := matches(text, position):
            name, bare = member["key"][1:-1], member["bare"]
            if bare is None:
                found[name] = _ESCAPED_QUOTE.sub(r"\1", member["text"])
            else:
                found[name] = None if bare in _NOTHING else bare.lower()
            if member["last"]:
                return found
            position = member.end()
        return None

    return read
