"""What one text may contain: a title with its languages (`Section.ONE_TEXT`), or tags (`Section.SMALLER`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests.bench.fuzz.languages import OLD_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 10_000
_LANGUAGES: Final = """
ar bg bs ca cs da de el en es et fa fi fr he hi hr hu id it ja ka ko lt lv ms
nb nl pa pl pt ro ru sk sr sv th tr uk vi zh
"""
_API: Final = frozenset(_LANGUAGES.split())
_WELL_FORMED: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}")
_API_TAG: Final = re.compile(r"([a-z]{2})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?")
_ESCAPED: Final = re.compile(r"""\\(['"\\])""")


def _beginning(key: str) -> re.Pattern[str]:
    return re.compile(rf"""(['"])({key})\1\s{{0,9}}(?::|=>)\s{{0,9}}(['"]|null|nil|None)""", re.DOTALL)


_LANGUAGE: Final = _beginning(_WELL_FORMED.pattern)
_ANY_KEY: Final = _beginning(r"[^'\"]{1,128}")
_NEXT_KEY: Final = re.compile(r"""(['"])[^'"]{1,200}\1\s{0,9}(?::|=>)""", re.DOTALL)
_NULL: Final = re.compile(r"null|nil|None")


def localized_texts(text: str) -> list[dict[str, str] | None]:
    """Return the ways to read a text: the texts of a title by language, or None for an ordinary text."""
    text = text.strip()
    if text[:1] != "{" or len(text) > _LONGEST:
        return [None]
    value = _json_object(text)
    if value is None:
        value = _quoted(text, _LANGUAGE)
    if not value or not all(each is None or type(each) is str for each in value.values()):
        return [None]
    are_languages = _are_languages(value)
    texts = {key: each for key, each in value.items() if each is not None}
    readings: list[dict[str, str] | None] = [None] if are_languages is False else [texts]
    return readings if are_languages is not None else [*readings, None]


def tags_in(text: str) -> list[dict[str, Any]]:
    """Return the tags that a text may contain."""
    value = _json_object(text.strip())
    if value is not None:
        return [value]
    value = _json_object(text.strip(), controls=True)
    if value is not None:
        return [value, {}]
    quoted = _quoted(text, _ANY_KEY)
    if quoted is not None:
        quoted = {key: each for key, each in quoted.items() if each is not None}
    return [{}] if quoted is None else [quoted] if _is_plainly_quoted(text) else [quoted, {}]


def _are_languages(keys: Iterable[str]) -> bool | None:
    keys = list(keys)
    if not all(_WELL_FORMED.fullmatch(key) for key in keys):
        return False
    if "en" in keys:
        return True
    if keys == ["id"]:
        return False
    folded = [_API_TAG.fullmatch(key.lower().replace("_", "-")) for key in keys]
    languages = {OLD_CODES.get(tag[1], tag[1]) for tag in folded if tag}
    if languages == {"id"}:
        return None
    if None not in folded and languages <= _API:
        return True
    starts = {re.split("[-_]", key.lower())[0] for key in keys}
    return None if "en" in starts or {OLD_CODES.get(start, start) for start in starts} <= _API else False


def _json_object(text: str, *, controls: bool = False) -> dict[str, Any] | None:
    try:
        value = json.loads(text, strict=not controls, parse_int=_Digits, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Digits(str):
    """A number in one text, with all its digits."""

    __slots__ = ()


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _quoted(text: str, beginning: re.Pattern[str]) -> dict[str, Any] | None:
    position = 1
    found: dict[str, Any] = {}
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        begin = beginning.match(text, position)
        if begin is None:
            return None
        is_null = _NULL.fullmatch(begin[3]) is not None
        end = _after(text, begin.end() - 1) if is_null else _end(text, begin.end(), begin[3])
        if end is None:
            return None
        quote, position = end
        found[begin[2]] = None if is_null else _ESCAPED.sub(r"\1", text[begin.end() : quote])
        if position == len(text):
            return found


def _end(text: str, position: int, quote: str) -> tuple[int, int] | None:
    """Find the quote that ends a text, and the start of the next key or the end of the object."""
    while (position := text.find(quote, position)) >= 0:
        if (end := _after(text, position)) is not None:
            return end
        position += 1
    return None


def _after(text: str, position: int) -> tuple[int, int] | None:
    """Return the position of a value's last character, and the start of the next key or the end of the object."""
    rest = text[position + 1 : position + 40].lstrip()
    after = position + 1 + (len(text[position + 1 : position + 40]) - len(rest))
    if rest[:1] == "}" and not text[after + 1 :].strip():
        return position, len(text)
    if rest[:1] == ",":
        following = after + 1
        while following < len(text) and text[following].isspace():
            following += 1
        if _NEXT_KEY.match(text, following):
            return position, following
    return None


def _is_plainly_quoted(text: str) -> bool:
    return re.fullmatch(r"\{\s*'[^'\"]+'\s*:\s*'[^'\"]*'(?:\s*,\s*'[^'\"]+'\s*:\s*'[^'\"]*')*\s*\}", text) is not None
