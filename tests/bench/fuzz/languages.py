"""Which text of a title a user gets: `Section.LANGUAGE`. Every answer that the rule allows is accepted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLD_CODES: Final = {"iw": "he", "in": "id", "no": "nb"}
_MORE_OLD_CODES: Final = {"ji": "yi", "jw": "jv", "mo": "ro", "tl": "fil", "eng": "en", "deu": "de", "fra": "fr"}
_TAG: Final = re.compile(r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?")
_LIKE_A_TAG: Final = re.compile(rf"\s*{_TAG.pattern}(?![a-z])")
_TRADITIONAL: Final = frozenset(
    ("au", "bn", "gb", "gf", "hk", "id", "mo", "pa", "pf", "ph", "sr", "th", "tw", "us", "vn")
)


class Tag(NamedTuple):
    """A language tag in one spelling. The script is implied if it is not written."""

    language: str
    script: str
    region: str


def texts_for(texts: Mapping[str, Any], language: str | None, is_blank: Callable[[str], bool]) -> list[str | None]:
    """Return the texts that a user may get, the most likely one first."""
    usable = {key: text for key, text in texts.items() if isinstance(text, str) and not is_blank(text)}
    own = usable.get(language or "")
    if own is not None:
        return [own]
    found = _own(usable, language or "", _strictly) or _english(usable)
    if all(
        _strictly(tag) is not None and tag[:3].lower() not in _MORE_OLD_CODES for tag in (language or "en", *usable)
    ):
        return found or [None]
    return [*found, *_own(usable, language or "", _leniently), *_english(usable)] or [None]


def _own(usable: Mapping[str, str], language: str, read: Callable[[str], Tag | None]) -> list[str | None]:
    wanted = read(language)
    if wanted is None or wanted.language == "und":
        return []
    tags = {key: read(key) for key in usable}
    same = [key for key, tag in tags.items() if tag is not None and tag[:2] == wanted[:2]]
    equal = [key for key in same if tags[key] == wanted]
    return [usable[key] for key in equal or same]


def _english(usable: Mapping[str, str]) -> list[str | None]:
    """Return the English text: the one with exactly that name, else another English one or the first."""
    if "en" in usable:
        return [usable["en"]]
    others = [
        text
        for read in (_strictly, _leniently)
        for key, text in usable.items()
        if (tag := read(key)) is not None and tag.language == "en"
    ]
    return [*others, *list(usable.values())[:1]]


def _strictly(text: str) -> Tag | None:
    found = _TAG.fullmatch(text.lower().replace("_", "-"))
    return None if found is None else _tag(found, OLD_CODES)


def _leniently(text: str) -> Tag | None:
    found = _LIKE_A_TAG.match(text.lower().replace("_", "-"))
    return None if found is None else _tag(found, OLD_CODES | _MORE_OLD_CODES)


def _tag(found: re.Match[str], old_codes: Mapping[str, str]) -> Tag:
    language, script, region = found["language"], found["script"] or "", found["region"] or ""
    language = old_codes.get(language, language)
    if not script and language == "zh":
        script = "hant" if region in _TRADITIONAL else "hans"
    if not script and language == "sr":
        script = "latn" if region in {"me", "ro", "ru", "tr"} else "cyrl"
    return Tag(language, script, region)
