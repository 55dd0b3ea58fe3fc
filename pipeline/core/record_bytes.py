"""Encode records as compact JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from msgspec import Struct

_LARGEST_KEPT: Final = 65_536
_encode_into: Final = msgspec.json.Encoder().encode_into
_BUFFERS: Final[list[bytearray]] = []
"""One buffer for each thread that builds records. Their content is scratch space."""


def record_bytes(record: Struct) -> bytes:
    """Encode a record without spare capacity: the bytes of msgspec's `encode` occupy half as much memory again."""
    try:
        buffer = _BUFFERS.pop()  # atomic, so no two threads share a buffer
    except IndexError:
        buffer = bytearray()
    _encode_into(record, buffer)
    encoded = bytes(buffer)
    if len(encoded) <= _LARGEST_KEPT:
        _BUFFERS.append(buffer)
    return encoded
