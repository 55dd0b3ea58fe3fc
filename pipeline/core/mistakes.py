"""Mistakes in a file that a person wrote: where, what, and what they may have meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake. ``line`` counts from 1; ``suggestion`` says what to do, without a full stop."""

    file: str
    line: int
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """Return ``file:line: message; suggestion`` on one line, whatever the file and its name hold."""
        told = f"{self.file}:{self.line}: {self.message}"
        return visible(f"{told}; {self.suggestion}" if self.suggestion else told)


class RulesError(Exception):
    """A rules or names file cannot be used. Its text lists every mistake, one a line."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        """Hold the mistakes, in the order of their lines."""
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        """Return all mistakes, one a line."""
        return "\n".join(str(mistake) for mistake in self.mistakes)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Suggest the known word that is nearest to a misspelt one, if any is near."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None
