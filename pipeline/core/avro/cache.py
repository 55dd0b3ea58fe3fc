"""A cache of parts that many events have in common: the message part is the same for all recipients.

An Avro value determines its own end, so the same bytes at any position are the same value. A cached value is returned
after one comparison of bytes. A truncated value is not cached.
"""

from __future__ import annotations

from typing import Any, Final

KEY_BYTES: Final = 40
"""The size of a UUID with its length and the index of its union, plus one byte."""
_MOST_VALUES: Final = 512
_LONGEST_VALUE: Final = 2_048


class PartCache:
    """The last values of one part, at most 512 of 2 KB: bytes, value and length, by their first bytes."""

    def __init__(self) -> None:
        self.values: dict[bytes, tuple[bytes, Any, int]] = {}

    def store(self, key: bytes, piece: bytes, length: int, value: Any) -> None:
        """Store the value of a piece. A piece that is shorter than its value was truncated and is ignored."""
        if len(piece) != length or length > _LONGEST_VALUE:
            return
        if len(self.values) >= _MOST_VALUES:
            self.values.clear()
        self.values[key] = (piece, value, length)
