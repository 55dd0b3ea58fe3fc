"""Texts by language: choose the user's language, and read texts by language that arrive as one text.

Where a template inserts the whole ``message.title``, OneSignal renders the object of texts by language as text
(`pipeline.core.quoted`). A text that only looks like such an object stays as it is: the keys must be languages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.core.languages import ENGLISH, ONESIGNAL_LANGUAGES, best_match, primary_language
from pipeline.core.quoted import quoted_reader
from pipeline.core.texts import has_no_text, shown, texts_without_nul

if TYPE_CHECKING:
    from pipeline.core.content import Localized

_LONGEST: Final = 10_000
_LANGUAGE_TAG: Final = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}"
_is_language_tag: Final = re.compile(_LANGUAGE_TAG).fullmatch
_read_quoted: Final = quoted_reader(_LANGUAGE_TAG)
_ID: Final = "id"
"""As the only key it more likely means an id than Indonesian."""


def texts_by_language(text: str) -> dict[str, str] | None:
    """Return the texts by language that one text contains; None when it is ordinary text. Never raises.

    All keys must be language tags. One of them must be English, or all must be languages of OneSignal's API. Languages
    whose text is null are omitted.
    """
    if text[:1].isspace():
        text = text.strip()
    if text[:1] != "{" or len(text) > _LONGEST:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _read_quoted(text)
    return {key: each for key, each in value.items() if each is not None} if _is_by_language(value) else None


def _is_by_language(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    if not all(each is None or isinstance(each, str) for each in value.values()):
        return False
    if not all(map(_is_language_tag, value)):
        return False
    languages = {primary_language(key) for key in value}
    return ENGLISH in languages or (languages <= ONESIGNAL_LANGUAGES and [key.lower() for key in value] != [_ID])


def is_empty(text: Localized) -> bool:
    """Return whether a title is blank or a placeholder in every language, also when it arrived as one text."""
    by_language = texts_by_language(text) if isinstance(text, str) else None
    return has_no_text(text if by_language is None else by_language)


def one_text(text: str | dict[str, Any], language: str | None) -> str | None:
    """Return the text in the user's language, else in English, else the first that is not blank or a placeholder."""
    if isinstance(text, str):
        by_language = texts_by_language(text)
        if by_language is None:
            return shown(text)
        text = texts_without_nul(by_language)
    own = text.get(language or "")
    if isinstance(own, str) and shown(own):
        return own
    texts = {key: each for key, each in text.items() if isinstance(each, str) and shown(each)}
    if not texts:
        return None
    matched = (wanted if wanted in texts else best_match(wanted, texts) for wanted in (language, ENGLISH) if wanted)
    return next((texts[key] for key in matched if key is not None), next(iter(texts.values())))
