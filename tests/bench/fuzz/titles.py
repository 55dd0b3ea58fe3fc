"""Read titles and contents: a text, a text for each language, or either in one text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench.fuzz.fields import Section
from tests.bench.fuzz.languages import texts_for
from tests.bench.fuzz.one_text import localized_texts
from tests.bench.fuzz.parsing import Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.fuzz.scalars import Options, Scalars


class Titles:
    """Reads titles for one user.

    Args:
        scalars: Reads the single texts.
        on: The sections that count.
        language: The user's language.
        before: Reads a localized text in one string as the previous version does, without `Section.ONE_TEXT`.
    """

    def __init__(
        self,
        scalars: Scalars,
        on: frozenset[Section],
        language: str | None,
        before: Callable[[str], dict[str, str] | None],
    ) -> None:
        """Store the user."""
        self._scalars = scalars
        self._on = on
        self._language = language
        self._before = before

    def options(self, values: list[tuple[str | None, Any]]) -> Options:
        """Return the possible values of a title: one English text, or nothing."""
        title = self._whole(values)
        if title is None:
            return [None]
        if isinstance(title, str):
            return [each for texts in self._readings(title) for each in self._chosen(texts, title)]
        return self._chosen({key: self._own_text(text) for key, text in title.items()}, "")

    def _whole(self, values: list[tuple[str | None, Any]]) -> str | dict[str, Any] | None:
        """Build a title that may be a text, an object, or spread over several keys."""
        whole: str | dict[str, Any] | None = None
        for key, value in values:
            if key is not None:
                if whole is None:
                    whole = {}
                if isinstance(whole, dict):
                    whole = {**whole, **({} if key in whole else {key: value})}
            elif whole is None:
                whole = value if isinstance(value, dict) and value else self._scalars.first_text([value])
        return whole

    def _own_text(self, text: object) -> object:
        return self._scalars.text(text) if isinstance(text, str) and not isinstance(text, Whole) else None

    def _readings(self, title: str) -> list[dict[str, str] | None]:
        return localized_texts(title) if Section.ONE_TEXT in self._on else [self._before(title)]

    def _chosen(self, texts: Mapping[str, Any] | None, title: str) -> Options:
        if texts is None:
            return [{"en": title}]
        is_blank = self._scalars.is_blank
        if Section.LANGUAGE in self._on:
            chosen = texts_for(texts, self._language, is_blank)
        else:
            own = (texts.get(self._language or ""), texts.get("en"), *texts.values())
            chosen = [next((text for text in own if isinstance(text, str) and not is_blank(text)), None)]
        # It is not defined whether a title is blank when all of its texts are.
        nothing: Options = [{"en": ""}, None] if Section.IDS in self._on else [{"en": ""}]
        return [part for text in chosen for part in ([{"en": text}] if text else nothing)]
