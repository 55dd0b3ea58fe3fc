"""Read the user's tags, which stay undecoded until a rule asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_TAGS: Final = msgspec.Raw(b"{}")

_PLAIN: Final = (str, int, float)  # a tuple: isinstance takes five times as long with a union


def plain_tags(tags: dict[str, Any]) -> dict[str, str | float]:
    """Return the tags that have a plain value; lists and objects cannot be asked for."""
    return {name: value for name, value in tags.items() if isinstance(value, _PLAIN)}


def read_tags(raw: msgspec.Raw, names: Iterable[str]) -> dict[str, str]:
    """Decode the named tags as texts; what is absent, no plain value, or cannot be read is left out."""
    try:
        tags = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(tags, dict):
        return {}
    return {name: _text(tags[name]) for name in names if isinstance(tags.get(name), _PLAIN)}


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
