"""Build the body of an import call from records that are already JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD: Final = b"["
_TAIL: Final = b"]"
SEPARATOR_BYTES: Final = 1
ENVELOPE_BYTES: Final = len(_HEAD) + len(_TAIL)
"""The size of a body without its records and commas."""


def build_body(records: Sequence[bytes]) -> bytes:
    """Return a JSON array of these records, at least one.

    It has no time of its own: the same records always give the same bytes, by which Mixpanel removes duplicates.
    """
    parts = [*records]  # one join copies the records once
    parts[0] = _HEAD + parts[0]
    parts[-1] += _TAIL
    return b",".join(parts)
