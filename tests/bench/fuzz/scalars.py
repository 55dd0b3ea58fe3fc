"""Read single values: texts and ids, and which of several spellings is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tests.bench.fuzz.fields import Section
from tests.bench.fuzz.ids import BLANK_TEXTS, emptiness
from tests.bench.fuzz.parsing import LONGEST_WHOLE, Whole

if TYPE_CHECKING:
    from tests.bench.fuzz.parsing import Document

Options: TypeAlias = list[Any]
"""The possible values of a field, the most likely first; None for no value."""

_EXACT_BELOW: Final = 2.0**53


class Scalars:
    """Reads the values of one document with some of the sections.

    With `early`, U+0000 is removed before anything is compared. ``has_nul`` is true if there was any.
    """

    def __init__(self, document: Document, on: frozenset[Section], *, early: bool) -> None:
        """Store what to read."""
        self._document = document
        self._on = on
        self._removes_nul = early and Section.SMALLER in on
        self.has_nul = False

    def text(self, value: object) -> str | None:
        """Return a value as a text, blank or not; None if it is no text."""
        if isinstance(value, Whole):
            return str(value) if Section.NUMBERS in self._on and has_a_length_to_read(value) else None
        if isinstance(value, str):
            return self._without_nul(self._document.text(value))
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW:
            return str(int(value))
        return None

    def _without_nul(self, text: str | None) -> str | None:
        if text is None or "\x00" not in text:
            return text
        self.has_nul = True
        return text.replace("\x00", "") if self._removes_nul else text

    def is_blank(self, text: str) -> bool:
        """Return whether a text other than an id means no value."""
        return not text or text.isspace() or (Section.IDS in self._on and text in BLANK_TEXTS)

    def first_text(self, values: list[Any]) -> str | None:
        """Return the first text that is not blank."""
        for value in values:
            text = self.text(value)
            if text is not None and not self.is_blank(text):
                return text
        return None

    def id_options(self, values: list[Any]) -> Options:
        """Return the ids that may be chosen from several spellings: the first that is not empty."""
        options: Options = []
        for value in values:
            text = self.text(value)
            if text is None or not text or text.isspace():
                continue
            empty = emptiness(text) if Section.IDS in self._on else False
            if empty is not True:
                options.append(text)
            if empty is False:
                return options
        return [*options, None]

    def time(self, values: list[Any]) -> int | float | str | None:
        """Return the first value that may be a time."""
        for value in values:
            if isinstance(value, Whole):
                return int(value) if has_a_length_to_read(value) else float("inf")
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value
            text = self.first_text([value])
            if text is not None:
                return text
        return None


def has_a_length_to_read(whole: Whole) -> bool:
    """Return whether an integer has at most 100 digits, so that it is read."""
    return len(whole.lstrip("-")) <= LONGEST_WHOLE


def is_unreadable(value: object) -> bool:
    """Return whether an external id is present and of a type that cannot be read."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, Whole):
        return not has_a_length_to_read(value)
    if isinstance(value, float):
        return not value.is_integer() or abs(value) >= _EXACT_BELOW
    return isinstance(value, list | dict) and bool(value)
