"""Words that must appear in no log and on no page: all hostile inputs contain them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.test_planted_secrets import BODY, EXTERNAL_ID, PERSONAL, SECRETS, found

if TYPE_CHECKING:
    from collections.abc import Iterable

USERS: Final = EXTERNAL_ID
"""The prefix of every user's id."""
PLANTED: Final = (*SECRETS, *PERSONAL, EXTERNAL_ID, BODY)
TRACEBACK: Final = "Traceback (most recent call last)"


def leaks(text: str, more: Iterable[str] = ()) -> list[str]:
    """Return the planted words that a text contains, each shortened to what identifies it."""
    return [f"{word[:12]}…" for word in found(text.encode(), (*PLANTED, *more))]


def personal_text(text: str = "") -> str:
    """Return a text with every kind of personal data in it."""
    return f"{text} {BODY} {' '.join(PERSONAL)}"
