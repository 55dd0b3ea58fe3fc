"""Read a user's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench.fuzz.fields import Section
from tests.bench.fuzz.one_text import tags_in
from tests.bench.fuzz.parsing import Whole
from tests.bench.fuzz.scalars import has_a_length_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.fuzz.parsing import Document
    from tests.bench.fuzz.scalars import Options


def tag_options(values: list[tuple[str | None, Any]], document: Document, on: frozenset[Section]) -> Options:
    """Return the tags that a user may have, with plain values."""
    whole: list[dict[str, Any]] | None = None
    for key, value in values:
        if key is not None:
            whole = [{}] if whole is None else whole
            whole = [{**each, **({} if key in each else {key: value})} for each in whole]
        elif whole is None:
            whole = _objects(value, document, on)
    return [{name: each for name, tag in tags.items() for each in _plain(tag, document, on)} for tags in whole or [{}]]


def _objects(value: object, document: Document, on: frozenset[Section]) -> list[dict[str, Any]] | None:
    if isinstance(value, dict):
        if not value or not document.is_foul(value):
            return [value] if value else None
        return [value, {}] if Section.NUMBERS in on and document.is_clean else [{}]
    if not isinstance(value, str) or isinstance(value, Whole) or Section.SMALLER not in on:
        return None
    text = document.text(value)
    return None if text is None or not any(read := tags_in(text)) else read


def _plain(value: object, document: Document, on: frozenset[Section]) -> Iterator[object]:
    if isinstance(value, Whole):
        if Section.NUMBERS not in on:
            yield float(value)
        elif has_a_length_to_read(value):
            yield str(value)
    elif isinstance(value, str):
        if (text := document.text(str(value))) is not None:
            yield text
    elif isinstance(value, int | float):
        yield value
