"""Placeholders in text fields, and characters that no text may contain.

These rules apply to all texts except ids, which have stricter ones (`pipeline.core.ids`).
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipeline.core.content import Localized

PLACEHOLDERS: Final = frozenset(
    {"null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"}
)
"""What programming languages and templates write for a missing value. Case matters: a title may be `Null`."""

SURE_BEGINNINGS: Final = frozenset(string.ascii_letters + string.digits) - {text[0] for text in PLACEHOLDERS}
"""First characters of texts that are neither blank nor placeholders, checked first for speed."""

NUL: Final = "\0"


def shown(text: str | None) -> str | None:
    """Return the text; None when it is blank or a placeholder."""
    return text if text and not text.isspace() and text not in PLACEHOLDERS else None


def has_no_text(text: Localized) -> bool:
    """Return whether a text is blank or a placeholder; by language, whether all are and one is a placeholder."""
    if not isinstance(text, dict):
        return shown(text) is None
    texts = [each for each in text.values() if isinstance(each, str)]
    return not text or (not any(map(shown, texts)) and any(each in PLACEHOLDERS for each in texts))


def without_nul(text: str) -> str:
    """Return a text without U+0000, which databases behind a destination reject."""
    return text.replace(NUL, "") if NUL in text else text


def texts_without_nul(texts: dict[str, Any]) -> dict[str, Any]:
    """Return texts by language without U+0000. The languages are not sent anywhere and stay as they are."""
    return {language: without_nul(text) if isinstance(text, str) else text for language, text in texts.items()}
