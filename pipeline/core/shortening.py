"""Shorten a free text, so that its record fits into the destination's size limit."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

_MARK: Final = "…"
_encode: Final = msgspec.json.Encoder().encode


def shortened(text: str, excess: int) -> str | None:
    """Return a text cut so that its JSON is at least ``excess`` bytes shorter; None when nothing is left of it.

    The cut is marked with ``…``, whose three bytes are included in the calculation.
    """
    budget = len(_encode(text)) - excess
    head = text[: max(budget, 0)]  # a character takes at least one byte
    length = bisect_left(range(len(head)), budget + 1, key=lambda end: len(_encode(head[:end] + _MARK)))
    kept = head[: length - 1].rstrip() if length else ""
    return kept + _MARK if kept else None
