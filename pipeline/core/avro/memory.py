"""Remember what comes again and again in the same bytes: the message part of an event is alike for all its recipients.

An Avro value says by itself where it ends, so the same bytes at any place are the same value. What was read before is
given back after one comparison of bytes; a cut-off value is not remembered.
"""

from __future__ import annotations

from typing import Any, Final

KEY_BYTES: Final = 40
"""A UUID with its length and the index of its union, and a byte more."""
_MOST_VALUES: Final = 512
_LONGEST_VALUE: Final = 2_048


class Memory:
    """The last values of one part, at most 512 of 2 KB: bytes, value and length, by the bytes that they begin with."""

    def __init__(self) -> None:
        self.values: dict[bytes, tuple[bytes, Any, int]] = {}

    def remember(self, key: bytes, piece: bytes, length: int, value: Any) -> None:
        """Keep the value of a piece that should be so long; one that the body's end has cut off is not."""
        if len(piece) != length or length > _LONGEST_VALUE:
            return
        if len(self.values) >= _MOST_VALUES:
            self.values.clear()
        self.values[key] = (piece, value, length)
