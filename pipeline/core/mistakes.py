"""Mistakes in a file that a user wrote: their line, a description, and a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_LISTED: Final = 20
"""Further mistakes are counted, not listed."""
_LONGEST_QUOTE: Final = 60


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake. ``line`` counts from 1; ``suggestion`` is advice, without a full stop."""

    file: str
    line: int
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """Return ``file:line: message; suggestion`` on one line, whatever characters the file and its name contain."""
        text = f"{self.file}:{self.line}: {self.message}"
        return visible(f"{text}; {self.suggestion}" if self.suggestion else text)


class RulesError(Exception):
    """A rules or names file cannot be used. Its text lists the first mistakes, one per line, and counts the others."""

    def __init__(self, mistakes: tuple[Mistake, ...], *, more: int = 0) -> None:
        """Store the first mistakes, in the order of their lines, and how many follow."""
        super().__init__(mistakes, more)
        self.mistakes = mistakes
        self.more = more

    def __str__(self) -> str:
        """Return `texts`, one per line."""
        return "\n".join(self.texts())

    def texts(self) -> tuple[str, ...]:
        """Return the text of each mistake, and one that counts those that are not listed."""
        listed = tuple(str(mistake) for mistake in self.mistakes)
        return (*listed, f"{self.mistakes[0].file}: {self.more:,} more mistakes") if self.more else listed


class Located(msgspec.Struct, frozen=True, gc=False):
    """A mistake at a line. ``build`` makes its text only if it is listed, because that costs a thousand times more."""

    line: int
    build: Callable[[], Mistake]


def refuse(found: Iterable[Located]) -> None:
    """Raise an error if there are mistakes.

    Raises:
        RulesError: the first mistakes are listed, the others counted.
    """
    located = sorted(found, key=lambda each: each.line)
    if located:
        listed = tuple(each.build() for each in located[:MOST_LISTED])
        raise RulesError(listed, more=len(located) - len(listed))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a suggestion of the known word that is most similar to a misspelt one; None when none is similar."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def quoted(word: str) -> str:
    """Return a word of a file in backticks, shortened, with escapes for invisible characters."""
    return f"`{shortened(word)}`"


def shortened(word: str) -> str:
    """Return the beginning of a word, with escapes for invisible characters."""
    beginning = word if len(word) <= _LONGEST_QUOTE else f"{word[:_LONGEST_QUOTE]}…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in beginning)
