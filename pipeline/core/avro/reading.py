"""Read Avro's primitive values, and skip values that are not used.

A position may be past the end of the body. The next access to a byte, or the comparison with the length at the end,
detects it. So a length in a body never causes an allocation. Values of a fixed width are skipped by multiplication, all
others access at least one byte per item, so no count makes a loop longer than the body.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.avro.schema_types import Array, Enumeration, Fixed, Map, Primitive, Record, Type, Union

if TYPE_CHECKING:
    from collections.abc import Callable

    Skip: TypeAlias = Callable[[bytes, int, int], int]
    """Return the position after the value that starts at a position of a body; the third argument is its depth."""

DEEPEST_VALUE: Final = 200
"""The deepest nesting of values: far below the limit of the stack, so a body has the same outcome everywhere."""

_MORE: Final = 0x80
_LONGEST_NUMBER: Final = 10
USUAL_BYTES: Final = 6
"""The size of seconds since the epoch, plus one byte."""
_WIDTHS: Final = {Primitive.NULL: 0, Primitive.BOOLEAN: 1, Primitive.FLOAT: 4, Primitive.DOUBLE: 8}


class MisfitError(Exception):
    """The bytes do not match their schema."""


class TooDeepError(Exception):
    """A value is nested deeper than `DEEPEST_VALUE`."""


def whole_number(body: bytes, position: int) -> tuple[int, int]:
    """Return an int or a long and the position after it."""
    value = shift = 0
    for here in range(position, position + _LONGEST_NUMBER):
        byte = body[here]
        if byte < _MORE:
            value |= byte << shift
            return value >> 1 ^ -(value & 1), here + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    raise MisfitError


@lru_cache(maxsize=8192)
def usual_number(piece: bytes) -> tuple[int, int]:
    """Return the number at the start of some bytes and its size, which is 0 when the number is longer.

    It is cached, because consecutive events share the same few seconds.
    """
    try:
        return whole_number(piece, 0)
    except IndexError:
        return 0, 0


def size(body: bytes, position: int) -> tuple[int, int]:
    """Return the length of a string or of bytes and the position after it."""
    length, position = whole_number(body, position)
    if length < 0:
        raise MisfitError
    return length, position


def block_count(body: bytes, position: int) -> tuple[int, int]:
    """Return the number of items in the next block of an array or a map and the position after it.

    The caller has checked for the end, which is a block of no items: a single zero byte.
    """
    count, position = whole_number(body, position)
    if count < 0:  # the size of the block in bytes follows, and is ignored
        _, position = whole_number(body, position)
    if not count:
        raise MisfitError
    return abs(count), position


def skipper(kind: Type) -> Skip:
    """Return a function that skips a value of a type."""
    return _Skippers().of(kind)


class _Skippers:
    """Builds the function of each record once, so that a recursive type finds its own."""

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
        """Return the size of every value of a type in bytes; None when it varies."""
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
            self._widths[id(record)] = None  # a recursive record finds this for itself
            widths = [self._width(field.type) for field in record.fields]
            known = [width for width in widths if width is not None]
            self._widths[id(record)] = sum(known) if len(known) == len(widths) else None
        return self._widths[id(record)]


def _over_fixed(width: int) -> Skip:
    return lambda _body, position, _depth: position + width


def _over_whole_number(body: bytes, position: int, _depth: int) -> int:
    return whole_number(body, position)[1]


def _over_sized(body: bytes, position: int, _depth: int) -> int:
    length, position = size(body, position)
    return position + length


def _over_blocks(parts: list[Skip], width: int | None) -> Skip:
    def skip(body: bytes, position: int, depth: int) -> int:
        deeper = _one_deeper(depth)
        while body[position]:
            count, position = block_count(body, position)
            if width is not None:
                position += count * width
            else:
                for _ in range(count):
                    for part in parts:
                        position = part(body, position, deeper)
        return position + 1

    return skip


def _over_union(branches: list[Skip]) -> Skip:
    def skip(body: bytes, position: int, depth: int) -> int:
        branch, position = size(body, position)
        return branches[branch](body, position, _one_deeper(depth))

    return skip


def _over_parts(parts: list[Skip]) -> Skip:
    def skip(body: bytes, position: int, depth: int) -> int:
        deeper = _one_deeper(depth)
        for part in parts:
            position = part(body, position, deeper)
        return position

    return skip


def _one_deeper(depth: int) -> int:
    if depth >= DEEPEST_VALUE:
        raise TooDeepError
    return depth + 1
