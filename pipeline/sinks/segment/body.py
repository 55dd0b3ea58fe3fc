"""Build the body of a batch call from records that are already JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD: Final = b'{"sentAt":"'
_MIDDLE: Final = b'","batch":['
_TAIL: Final = b"]}"
_SENT_AT_BYTES: Final = len("2026-01-01T00:00:00.000Z")
SEPARATOR_BYTES: Final = 1
ENVELOPE_BYTES: Final = len(_HEAD) + _SENT_AT_BYTES + len(_MIDDLE) + len(_TAIL)
"""The size of a body without its records and commas. The write key is sent as Basic auth."""


def build_body(records: Sequence[bytes], *, sent_at: float) -> bytes:
    """Return a batch with these records, at least one. ``sent_at`` is in seconds since the epoch, new for each attempt.

    Segment corrects the records' timestamps by the difference between its own clock and `sentAt`
    (schemas/SOURCES.md, "Segment timestamps").
    """
    parts = [*records]  # one join copies the records once
    parts[0] = _HEAD + timestamp(sent_at).encode() + _MIDDLE + parts[0]
    parts[-1] += _TAIL
    return b",".join(parts)


def timestamp(seconds: float) -> str:
    """Return a time in Segment's format: ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
