"""What a decoder knows about a body that it rejected, beyond the reason: the `detail` of a dead letter.

A rejected body is read once more for this, so that other messages cost nothing. No word of a body is repeated, only
positions and types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.core.json_repair import fault_in, parse_json
from pipeline.core.outcomes import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TYPES: Final[Mapping[type, str]] = {
    bool: "true or false",
    float: "a number",
    int: "a number",
    list: "an array",
    str: "a string",
    type(None): "null",
}


def json_words(value: bytes, reason: RejectReason) -> str | None:
    """Return what is wrong with a JSON body that was rejected for a reason; None where the reason says it all."""
    words = _WORDS.get(reason)
    return None if words is None else words(value)


def _not_an_event(value: bytes) -> str:
    found = _TYPES.get(type(parse_json(value)))
    return "no event kind under any known name" if found is None else f"the body is {found}, not an object"


_WORDS: Final[Mapping[RejectReason, Callable[[bytes], str | None]]] = {
    RejectReason.NOT_UTF8: fault_in,
    RejectReason.NOT_JSON: fault_in,
    RejectReason.TOO_DEEP: fault_in,
    RejectReason.NOT_AN_EVENT: _not_an_event,
}
