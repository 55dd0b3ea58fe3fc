"""Match the user's language with the languages of a text.

Language and script must be the same: Russian is no substitute for Ukrainian, nor simplified Chinese for traditional.
Regions may differ. Source: schemas/SOURCES.md, "OneSignal languages". We keep our own table because langcodes caches
every tag that it has ever seen and takes 30 to 100 ms to import.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGLISH: Final = "en"

_SCRIPTS: Final[Mapping[str, str]] = {
    "Latn": "bs ca cs da de en es et fi fr hr hu id it lt lv ms nb nl pl pt ro sk sv tr vi",
    "Cyrl": "bg ru sr uk",
    "Arab": "ar fa",
    "Grek": "el",
    "Hebr": "he",
    "Deva": "hi",
    "Jpan": "ja",
    "Geor": "ka",
    "Kore": "ko",
    "Guru": "pa",
    "Thai": "th",
    "Hans": "zh",
}
_SCRIPT_OF: Final = {language: script for script, languages in _SCRIPTS.items() for language in languages.split()}
"""The script that each language of OneSignal's API is usually written in."""

ONESIGNAL_LANGUAGES: Final = frozenset(_SCRIPT_OF)
_SCRIPT_BY_REGION: Final[Mapping[tuple[str, str], str]] = {
    **{
        ("zh", region): "Hant"
        for region in ["AU", "BN", "GB", "GF", "HK", "ID", "MO", "PA", "PF", "PH", "SR", "TH", "TW", "US", "VN"]
    },
    **{("sr", region): "Latn" for region in ("ME", "RO", "RU", "TR")},
    ("pa", "PK"): "Arab",
    ("ms", "CC"): "Arab",
}
"""The script that a region implies, where it is not the language's usual one."""

_REGIONS: Final[Mapping[str, tuple[str, str]]] = {
    "en": ("US", "GB"),
    "es": ("ES", "419"),
    "pt": ("BR", "PT"),
}
"""The usual region of a language, and the region whose variant the other regions share."""

_SUCCESSORS: Final[Mapping[str, str]] = {"iw": "he", "in": "id", "no": "nb", "ji": "yi", "tl": "fil", "mo": "ro"}
"""Withdrawn codes and codes of several languages, with the code that replaces them."""

_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?![a-z0-9])(?P<extended>[-_](?:cmn|yue)(?![a-z0-9]))?"
    r"(?:[-_](?P<script>[a-z]{4})(?![a-z0-9]))?(?:[-_](?P<region>[a-z]{2}|[0-9]{3})(?![a-z0-9]))?",
    re.IGNORECASE | re.ASCII,
)
_REST: Final = re.compile(r"(?:[-_][a-z0-9]{1,8})*(?:[.@][a-z0-9.@-]*)?", re.IGNORECASE | re.ASCII)
"""Variants, extensions and character sets, which are ignored: `de-DE-1996`, `en_US.UTF-8`."""
_MOST_OFFERED: Final = 50
_LONGEST_TAG: Final = 35
"""BCP 47 requires room for 35 characters. Both limits keep the cache small."""


class _Tag(NamedTuple):
    language: str
    script: str
    region: str


def primary_language(tag: str) -> str | None:
    """Return the language of a tag by its current code; None unless the tag has only language, script and region."""
    found = _TAG.fullmatch(tag)
    return None if found is None or found["extended"] else _language(found)


def best_match(wanted: str, offered: Iterable[str]) -> str | None:
    """Return the offered tag in the language and script of the wanted one; None when there is none.

    Of several tags the order is: the same region, the region that shares its variant, no region, the usual region,
    then the first tag.
    """
    short = tuple(islice((tag for tag in offered if len(tag) <= _LONGEST_TAG), _MOST_OFFERED))
    return _best_match(wanted, short) if len(wanted) <= _LONGEST_TAG else None


@lru_cache(maxsize=1024)
def _best_match(wanted: str, offered: tuple[str, ...]) -> str | None:
    own = _read(wanted)
    if own is None:
        return None
    usual, shared = _REGIONS.get(own.language, ("", ""))
    order = (own.region, "" if own.region in {"", usual} else shared, "", usual)
    candidates = [
        (order.index(other.region) if other.region in order else len(order), index)
        for index, tag in enumerate(offered)
        if (other := _read(tag)) is not None and (other.language, other.script) == (own.language, own.script)
    ]
    return offered[min(candidates)[1]] if candidates else None


def _read(tag: str) -> _Tag | None:
    tag = tag.strip()
    found = _TAG.match(tag)
    if found is None or not _REST.fullmatch(tag, found.end()):
        return None
    language = _language(found)
    region = (found["region"] or "").upper()
    script = (found["script"] or "").capitalize()
    usual = _SCRIPT_BY_REGION.get((language, region), _SCRIPT_OF.get(language, ""))
    return _Tag(language, script or usual, region)


def _language(found: re.Match[str]) -> str:
    language = found["language"].lower()
    return _SUCCESSORS.get(language, language)
