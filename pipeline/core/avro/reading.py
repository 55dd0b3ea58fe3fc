"""Avro's smallest parts, and how what nobody asks for is passed over.

A place may run past the end of the body: the next byte that is looked at, or the comparison with the body's length at
the end, tells. So nothing is allocated by what a body claims to hold. Types of a fixed width are passed over by
counting, all others look at a byte for each item, so no count makes a loop longer than the body.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.avro.schema_types import Array, Enumeration, Fixed, Map, Primitive, Record, Type, Union

if TYPE_CHECKING:
    from collections.abc import Callable

    Skip: TypeAlias = Callable[[bytes, int, int], int]
    """Return the place after the value that starts at a place of a body; the third argument is the depth of it."""

DEEPEST_VALUE: Final = 200
"""Values may be nested so deep; far below what the stack can take, so all bodies are decided alike everywhere."""

_MORE: Final = 0x80
_LONGEST_NUMBER: Final = 10
USUAL_BYTES: Final = 6
"""What seconds since the epoch take, and a byte more."""
_WIDTHS: Final = {Primitive.NULL: 0, Primitive.BOOLEAN: 1, Primitive.FLOAT: 4, Primitive.DOUBLE: 8}


class MisfitError(Exception):
    """The bytes are not what their schema says."""


class TooDeepError(Exception):
    """A value is nested deeper than `DEEPEST_VALUE`."""


def whole_number(body: bytes, place: int) -> tuple[int, int]:
    """Read an int or a long; return it and the place after it."""
    value = shift = 0
    for here in range(place, place + _LONGEST_NUMBER):
        byte = body[here]
        if byte < _MORE:
            value |= byte << shift
            return value >> 1 ^ -(value & 1), here + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    raise MisfitError


@lru_cache(maxsize=8192)
def usual_number(piece: bytes) -> tuple[int, int]:
    """Read a number from the next bytes; return it and how many it takes, 0 when it is longer.

    The times of events come in runs of the same few seconds, so they are remembered.
    """
    try:
        return whole_number(piece, 0)
    except IndexError:
        return 0, 0


def size(body: bytes, place: int) -> tuple[int, int]:
    """Read the length of a text or of bytes; return it and the place after it."""
    length, place = whole_number(body, place)
    if length < 0:
        raise MisfitError
    return length, place


def block_count(body: bytes, place: int) -> tuple[int, int]:
    """Read how many entries the next block of an array or a map has; return it and the place after it.

    A block of none is the end, a single zero byte, which the caller has looked for.
    """
    count, place = whole_number(body, place)
    if count < 0:  # the size of the block follows; nothing here needs it
        _, place = whole_number(body, place)
    if not count:
        raise MisfitError
    return abs(count), place


def skipper(kind: Type) -> Skip:
    """Make the function that passes over a type."""
    return _Skippers().of(kind)


class _Skippers:
    """Makes each named type's function once, so a recursive type finds its own."""

    def __init__(self) -> None:
        self._records: dict[int, list[Skip]] = {}
        self._widths: dict[int, int | None] = {}

    def of(self, kind: Type) -> Skip:
        width = self._width(kind)
        return self._unsized(kind) if width is None else _over_fixed(width)

    def _unsized(self, kind: Type) -> Skip:
        match kind:
            case Primitive.STRING | Primitive.BYTES:
                return _over_sized
            case Primitive() | Enumeration() | Fixed():
                return _over_whole_number
            case Array():
                return _over_blocks([self.of(kind.items)], self._width(kind.items))
            case Map():
                return _over_blocks([_over_sized, self.of(kind.values)], None)
            case Union():
                return _over_union([self.of(branch) for branch in kind.branches])
            case Record():
                return self._over_record(kind)

    def _over_record(self, record: Record) -> Skip:
        parts = self._records.get(id(record))
        if parts is None:
            parts = self._records[id(record)] = []
            parts.extend(self.of(field.type) for field in record.fields)
        return _over_parts(parts)

    def _width(self, kind: Type) -> int | None:
        """Return how many bytes every value of the type takes; None where that differs."""
        match kind:
            case Primitive():
                return _WIDTHS.get(kind)
            case Fixed():
                return kind.size
            case Record():
                return self._record_width(kind)
            case Enumeration() | Array() | Map() | Union():
                return None

    def _record_width(self, record: Record) -> int | None:
        if id(record) not in self._widths:
            self._widths[id(record)] = None  # what it is to itself, if it is recursive
            widths = [self._width(field.type) for field in record.fields]
            known = [width for width in widths if width is not None]
            self._widths[id(record)] = sum(known) if len(known) == len(widths) else None
        return self._widths[id(record)]


def _over_fixed(width: int) -> Skip:
    return lambda _body, place, _depth: place + width


def _over_whole_number(body: bytes, place: int, _depth: int) -> int:
    return whole_number(body, place)[1]


def _over_sized(body: bytes, place: int, _depth: int) -> int:
    length, place = size(body, place)
    return place + length


def _over_blocks(parts: list[Skip], width: int | None) -> Skip:
    def skip(body: bytes, place: int, depth: int) -> int:
        deeper = _one_deeper(depth)
        while body[place]:
            count, place = block_count(body, place)
            if width is not None:
                place += count * width
            else:
                for _ in range(count):
                    for part in parts:
                        place = part(body, place, deeper)
        return place + 1

    return skip


def _over_union(branches: list[Skip]) -> Skip:
    def skip(body: bytes, place: int, depth: int) -> int:
        branch, place = size(body, place)
        return branches[branch](body, place, _one_deeper(depth))

    return skip


def _over_parts(parts: list[Skip]) -> Skip:
    def skip(body: bytes, place: int, depth: int) -> int:
        deeper = _one_deeper(depth)
        for part in parts:
            place = part(body, place, deeper)
        return place

    return skip


def _one_deeper(depth: int) -> int:
    if depth >= DEEPEST_VALUE:
        raise TooDeepError
    return depth + 1
