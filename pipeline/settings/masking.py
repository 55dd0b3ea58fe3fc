"""What may be shown of an invalid value: with any setting, it may be an address with a password in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_SHOWN: Final = "(not shown)"
_LONGEST_SHOWN: Final = 200
_WITH_CREDENTIALS: Final = re.compile(r"(?P<scheme>\w+://)?.*@(?P<host>[\w.:\[\]-]*)(?P<rest>.*)", re.DOTALL)
_QUERY: Final = re.compile(r"[?#].*", re.DOTALL)
_PEM: Final = "-----BEGIN"
_BODY_OF_A_KEY: Final = re.compile(r"[A-Za-z0-9+/=]{100}")
"""A long run of base64; a path has a full stop, a hyphen or an underscore earlier."""
_HALF_A_CHARACTER: Final = re.compile("[\ud800-\udfff]")


def unshowable(value: str) -> str | None:
    """Return why a value must not be shown at all: it may be a private key, or change what is printed around it."""
    if _PEM in value:
        return "it holds a key or a certificate itself"
    if _has_line_break(value):
        return "it has a line break"
    if _HALF_A_CHARACTER.search(value):
        return "it is not UTF-8 text"
    if not value.isprintable():
        return "it has a character that cannot be seen"
    return None


def without_keys(text: str, given: Iterable[str]) -> str:
    """Return a text without those of the given words that may be a key, such as words with a line break."""
    for word in (part for each in given for part in (each, *each.partition("=")[::2])):
        if _PEM in word or _has_line_break(word):
            text = text.replace(word, NOT_SHOWN).replace(repr(word)[1:-1], NOT_SHOWN)
    return text


def _has_line_break(value: str) -> bool:
    return "".join(value.splitlines()) != value


def presentable(value: str, *, is_path: bool = False) -> str:
    """Return an invalid value shortened, and without what can be a secret: what precedes an `@`, and a query.

    A path may contain an `@`, so in a path only what looks like an address is masked.
    """
    if unshowable(value) is not None or (is_path and _BODY_OF_A_KEY.search(value)):
        return NOT_SHOWN
    shown = value
    if is_path and "://" not in value:
        pass
    elif found := _WITH_CREDENTIALS.fullmatch(value):
        shown = f"{found['scheme'] or ''}…@{found['host']}{'…' if found['rest'] else ''}"
    elif "://" in value:
        shown = _QUERY.sub("…", value)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
