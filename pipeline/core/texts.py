"""What a text field that says nothing may read, and what no text may hold.

Ids have stricter rules of their own (`pipeline.core.ids`); these are for all other texts.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipeline.core.content import Localized

PLACEHOLDERS: Final = frozenset(
    {"null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"}
)
"""What languages and templates write for a value that is not there. Letter case counts: a title may be `Null`."""

SURE_BEGINNINGS: Final = frozenset(string.ascii_letters + string.digits) - {text[0] for text in PLACEHOLDERS}
"""First characters of texts that are neither blank nor placeholders: what reads every event asks them first."""

NUL: Final = "\0"


def shown(text: str | None) -> str | None:
    """Return a text that says something; None for one that is blank or a placeholder."""
    return text if text and not text.isspace() and text not in PLACEHOLDERS else None


def says_nothing(text: Localized) -> bool:
    """Return whether a text, or every language of it, is blank or a placeholder. An object of blanks alone is not."""
    if not isinstance(text, dict):
        return shown(text) is None
    texts = [each for each in text.values() if isinstance(each, str)]
    return not text or (not any(map(shown, texts)) and any(each in PLACEHOLDERS for each in texts))


def without_nul(text: str) -> str:
    """Return a text without U+0000, which databases behind a destination refuse."""
    return text.replace(NUL, "") if NUL in text else text


def texts_without_nul(texts: dict[str, Any]) -> dict[str, Any]:
    """Return one text for each language, without U+0000; the languages go nowhere and stay as they are."""
    return {language: without_nul(text) if isinstance(text, str) else text for language, text in texts.items()}
