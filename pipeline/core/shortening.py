"""Fit a record into Segment's size limit by shortening its longest free texts."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

MAX_RECORD_BYTES: Final = 32_768
"""Segment's limit of 32 KB for one event (domain.md 2.1), as its own clients read it (domain.md 2.4)."""

_MARK: Final = "…"
_encode: Final = msgspec.json.Encoder().encode


def shortened(text: str, excess: int) -> str | None:
    """Cut a text so that its JSON loses at least ``excess`` bytes; None when that leaves nothing of it.

    The cut is marked with ``…``, whose three bytes are counted.
    """
    budget = len(_encode(text)) - excess
    head = text[: max(budget, 0)]  # a character takes a byte at least
    length = bisect_left(range(len(head)), budget + 1, key=lambda end: len(_encode(head[:end] + _MARK)))
    kept = head[: length - 1].rstrip() if length else ""
    return kept + _MARK if kept else None
