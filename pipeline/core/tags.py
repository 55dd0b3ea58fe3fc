"""Read the user's tags, which stay undecoded until a rule needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from pipeline.core.json_repair import beyond_64_bits, with_exact_integers, with_finite_numbers
from pipeline.core.quoted import ANY_KEY, PLAIN_VALUE, quoted_reader

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_TAGS: Final = msgspec.Raw(b"{}")

_PLAIN: Final = (str, int, float)  # a tuple, because isinstance takes five times as long with a union
_LONGEST_TEXT: Final = 100_000
_read_quoted: Final = quoted_reader(ANY_KEY, bare_value=PLAIN_VALUE)


def plain_tags(tags: dict[str, Any]) -> dict[str, str | float]:
    """Return the tags whose value is a scalar. Rules cannot match lists and objects."""
    return {name: value for name, value in tags.items() if isinstance(value, _PLAIN)}


def read_tags(raw: msgspec.Raw, names: Iterable[str]) -> dict[str, str]:
    """Return the named tags as texts, without those that are absent, not scalar or unreadable.

    Tags are an object, or the same object as one text: JSON, or with single quotes as OneSignal renders it.
    """
    tags = _loaded(memoryview(raw))
    if isinstance(tags, str):
        tags = tags_in_text(tags)
    if tags is None or (isinstance(tags, dict) and any(map(beyond_64_bits, tags.values()))):
        tags = _loaded(with_exact_integers(with_finite_numbers(bytes(raw))))
    if not isinstance(tags, dict):
        return {}
    return {name: _text(tags[name]) for name in names if isinstance(tags.get(name), _PLAIN)}


def tags_in_text(text: str) -> Any:
    """Read tags from one text: JSON, or an object as OneSignal renders it. Return None for anything else."""
    if len(text) > _LONGEST_TEXT or text.lstrip()[:1] != "{":
        return None
    tags = _loaded(with_exact_integers(text.encode()))
    if tags is not None:
        return tags
    quoted = _read_quoted(text.strip())
    return None if quoted is None else {name: value for name, value in quoted.items() if value is not None}


def _loaded(text: bytes | memoryview) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
