"""How the value of a field is converted when a body is read field by field.

- A number in a text field becomes its text; a boolean, list or object there counts as absent.
- A value of the wrong type in an object or time field counts as absent.
- An integer beyond 64 bits raises `LongIntegerError` once: the body must then be parsed with its exact digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.core.json_repair import beyond_64_bits
from pipeline.core.tags import tags_in_text
from pipeline.core.texts import shown, texts_without_nul, without_nul

if TYPE_CHECKING:
    from pipeline.core.content import Localized

_LARGEST_EXACT_FLOAT: Final = 2.0**53


class LongIntegerError(Exception):
    """A field has a number that may have been an integer beyond 64 bits."""


def plain_text(value: object) -> str | None:
    """Return a text without U+0000, or a whole number as its text; None for anything else, and for a blank one."""
    if isinstance(value, str):
        return None if not value or value.isspace() else without_nul(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT_FLOAT:
        return str(int(value))
    return None


def text(value: object) -> str | None:
    """Return a text that is not blank or a placeholder."""
    return shown(plain_text(value))


def localized(value: object) -> Localized:
    """Return a text, or one text for each language."""
    return texts_without_nul(value) or None if isinstance(value, dict) else text(value)


def time(value: object) -> int | float | str | None:
    """Return a time unchanged."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text(value)


def tags(value: object) -> dict[str, Any] | None:
    """Return tags by name, also when they arrived as one text."""
    found = tags_in_text(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) and found else None


def is_unreadable(value: object) -> bool:
    """Return whether an id is present and cannot be read.

    That is a fraction, a number whose exact digits are not known, a list or an object. Null, booleans, and empty lists
    and objects mean that there is no id.
    """
    if isinstance(value, list | dict):
        return bool(value)
    return isinstance(value, float) and plain_text(value) is None


def named(unreadable: object) -> str:
    """Return how an unreadable id is shown to an operator: a fraction as it is, else the type of the value."""
    if isinstance(unreadable, float):
        return str(unreadable) if abs(unreadable) < _LARGEST_EXACT_FLOAT else "a large number"
    return "a list" if isinstance(unreadable, list) else "an object"


def may_be_long_integer(value: object) -> bool:
    """Return whether a value, or one of an object's values, may be an integer that lost digits."""
    return beyond_64_bits(value) or (isinstance(value, dict) and any(map(beyond_64_bits, value.values())))
