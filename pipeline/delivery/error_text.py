"""Read the error texts of an answer, without quoted data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final = ("error", "errors", "message", "code", "reason", "detail")
_MAX_DEPTH: Final = 3
_MAX_CHARACTERS: Final = 500
_QUOTED: Final = re.compile(r"\"[^\"]*\"?|`[^`]*`?|(?<!\w)'[^']*'?|[{\[<].*", re.DOTALL)
"""Text in quotes, and text that begins as JSON or markup, may be personal data."""


def error_texts(body: bytes) -> Iterator[str]:
    """Yield the error texts of an answer, without their quoted parts: a quoted record may contain any words."""
    for text in _texts_in(body):
        yield _QUOTED.sub(" ", text[:_MAX_CHARACTERS])


def _texts_in(body: bytes) -> Iterator[str]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return iter((body.decode("utf-8", "replace"),))
    return _texts_of(answer, _MAX_DEPTH)


def _texts_of(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list):
        for each in value:
            yield from _texts_of(each, depth - 1)
    elif depth and isinstance(value, dict):
        for field in _FIELDS:
            yield from _texts_of(value.get(field), depth - 1)
