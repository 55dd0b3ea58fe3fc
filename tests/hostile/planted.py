"""Words that must be in no log and on no page: everything hostile is made with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.test_planted_secrets import BODY, EXTERNAL_ID, PERSONAL, SECRETS, found

if TYPE_CHECKING:
    from collections.abc import Iterable

USERS: Final = EXTERNAL_ID
"""How every user's id begins."""
PLANTED: Final = (*SECRETS, *PERSONAL, EXTERNAL_ID, BODY)
TRACEBACK: Final = "Traceback (most recent call last)"


def leaks(told: str, more: Iterable[str] = ()) -> list[str]:
    """Return the planted words that something has told, each cut to what it takes to know it."""
    return [f"{word[:12]}…" for word in found(told.encode(), (*PLANTED, *more))]


def personal_text(text: str = "") -> str:
    """Return a text with everything in it that is personal."""
    return f"{text} {BODY} {' '.join(PERSONAL)}"
