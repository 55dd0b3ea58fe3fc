"""The functions and tables that compiled source uses, by the names that it contains."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from pipeline.core.avro.reading import MisfitError, block_count, size, usual_number, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MISFITS: Final = (IndexError, OverflowError, UnicodeDecodeError, MisfitError)
"""Raised by the compiled function when the bytes do not match their schema, except `reading.TooDeepError`."""


class UnreadableError(Exception):
    """The bytes match their schema, but contain a type that we cannot use."""


_ONE_BYTE: Final = 128
_NOWHERE: Final = 1 << 40
_ENDS: Final = tuple(
    tuple(1 + ahead + (byte >> 1) if byte < _ONE_BYTE and not byte & 1 else _NOWHERE for byte in range(256))
    for ahead in (0, 1)
)
"""The distance from the start of a text to its end, by its length byte: without and with a union's byte before it."""

_COUNTS: Final = tuple(byte >> 1 if byte < _ONE_BYTE and not byte & 1 else 0 for byte in range(256))
"""The number of items in a block of a map, by its first byte; 0 when the number takes more bytes."""


def _double(layout: str) -> Callable[[bytes, int], tuple[float | None, int]]:
    packed = Struct(layout)

    def read(body: bytes, position: int) -> tuple[float | None, int]:
        end = position + packed.size
        if end > len(body):
            raise MisfitError
        (number,) = packed.unpack_from(body, position)
        return (None if number != number else number), end  # noqa: PLR0124 -- NaN, which JSON does not have

    return read


VOCABULARY: Final[Mapping[str, object]] = {
    "Misfit": MisfitError,
    "Raw": msgspec.Raw,
    "Unreadable": UnreadableError,
    "block_count": block_count,
    "counts": _COUNTS,
    "dumps": orjson.dumps,
    "ends_0": _ENDS[0],
    "ends_1": _ENDS[1],
    "read_double": _double("<d"),
    "read_float": _double("<f"),
    "size": size,
    "usual_number": usual_number,
    "whole_number": whole_number,
}
