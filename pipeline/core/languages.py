"""Which of the languages that a text comes in is the user's.

The language must be the same, and so must the script: Russian is no substitute for Ukrainian, nor simplified Chinese
for traditional. Regions may differ. Sources: OneSignal's API for its languages, CLDR's likely subtags for the scripts.
The table is ours, since langcodes keeps every tag that it has ever seen and takes 30 to 100 ms to import.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    **{("zh", region): "Hant" for region in ("TW", "HK", "MO")},
    **{("sr", region): "Latn" for region in ("ME", "RO", "TR")},
    ("pa", "PK"): "Arab",
    ("ms", "CC"): "Arab",
}
"""The script that a region implies, where it is not the language's usual one."""

_USUAL_REGION: Final[Mapping[str, str]] = {"en": "US", "es": "ES", "pt": "BR", "fr": "FR", "de": "DE", "zh": "CN"}

_SUCCESSORS: Final[Mapping[str, str]] = {"iw": "he", "in": "id", "no": "nb", "ji": "yi", "tl": "fil", "mo": "ro"}
"""Codes that were withdrawn, or that mean one of several languages, and what stands for them."""

_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:[-_](?P<script>[a-z]{4}))?(?:[-_](?P<region>[a-z]{2}|[0-9]{3}))?",
    re.IGNORECASE | re.ASCII,
)
_MOST_OFFERED: Final = 50
_LONGEST_TAG: Final = 20


class _Tag(NamedTuple):
    language: str
    script: str
    region: str


def primary_language(tag: str) -> str | None:
    """Return the language of a tag by its present code; None for what is no language with a script or a region."""
    read = _read(tag)
    return None if read is None else read.language


def best_match(wanted: str, offered: tuple[str, ...]) -> str | None:
    """Return the offered tag in the language and script of the wanted one; None when there is none.

    Of several the one with the same region comes first, then the one without a region, then the one with the usual
    region, then the first.
    """
    if wanted in offered:
        return wanted
    if len(wanted) > _LONGEST_TAG or len(offered) > _MOST_OFFERED or any(len(tag) > _LONGEST_TAG for tag in offered):
        return None
    return _best_match(wanted, offered)


@lru_cache(maxsize=1024)
def _best_match(wanted: str, offered: tuple[str, ...]) -> str | None:
    own = _read(wanted)
    if own is None:
        return None
    order = (own.region, "", _USUAL_REGION.get(own.language))
    candidates = [
        (order.index(other.region) if other.region in order else len(order), place)
        for place, tag in enumerate(offered)
        if (other := _read(tag)) is not None and (other.language, other.script) == (own.language, own.script)
    ]
    return offered[min(candidates)[1]] if candidates else None


def _read(tag: str) -> _Tag | None:
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    language = found["language"].lower()
    language = _SUCCESSORS.get(language, language)
    region = (found["region"] or "").upper()
    script = (found["script"] or "").capitalize()
    usual = _SCRIPT_BY_REGION.get((language, region), _SCRIPT_OF.get(language, ""))
    return _Tag(language, script or usual, region)
