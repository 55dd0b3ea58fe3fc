"""What compiled source calls and looks up, by the names that stand in it."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from pipeline.core.avro.reading import MisfitError, block_count, size, usual_number, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MISFITS: Final = (IndexError, OverflowError, UnicodeDecodeError, MisfitError)
"""What the function raises when the bytes are not what their schema says, `reading.TooDeepError` apart."""


class UnreadableError(Exception):
    """The bytes are what their schema says, but one of them is a type that we have no use for."""


_ONE_BYTE: Final = 128
_NOWHERE: Final = 1 << 40
_ENDS: Final = tuple(
    tuple(1 + ahead + (byte >> 1) if byte < _ONE_BYTE and not byte & 1 else _NOWHERE for byte in range(256))
    for ahead in (0, 1)
)
"""How far a text's end is from its start, by the byte of its length; with and without the byte of a union before it."""

_COUNTS: Final = tuple(byte >> 1 if byte < _ONE_BYTE and not byte & 1 else 0 for byte in range(256))
"""How many entries a block of a map has, by its first byte; 0 where that byte alone does not tell."""


def _double(layout: str) -> Callable[[bytes, int], tuple[float | None, int]]:
    packed = Struct(layout)

    def read(body: bytes, place: int) -> tuple[float | None, int]:
        end = place + packed.size
        if end > len(body):
            raise MisfitError
        (number,) = packed.unpack_from(body, place)
        return (None if number != number else number), end  # noqa: PLR0124 -- not a number; JSON has none

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
