"""Unpack compressed batches within a bound that holds before memory is allocated.

aiokafka 0.14 unpacks a batch without a limit (`aiokafka/codec.py`): 46 KB of zstd can become 1.5 GB. Here a buffer is
allocated first, and the codecs cannot write beyond it. Its size is the one that the compressed bytes declare, or the
most that the blocks of a frame can contain. A declaration may be wrong: if the buffer is too small, a second attempt
uses the largest one that is allowed.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import cramjam

from pipeline.kafka.fetched.faults import UNPACKED_BOUND, BatchFaultError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFER_IS_FULL: Final = "failed to write whole buffer"
"""cramjam's error text when a buffer is too small; the same for gzip, lz4 and zstd."""
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEAD_BYTES: Final = 16
_LZ4_MAGIC: Final = 0x184D2204
_LZ4_STORED: Final = 0x8000_0000
_LZ4_MOST_RATIO: Final = 255
_ZSTD_MAGIC: Final = 0xFD2FB528
_ZSTD_SKIPPABLE: Final = 0x184D2A5
_ZSTD_BLOCK_BYTES: Final = 128 * 1024
_ZSTD_RLE: Final = 1
_ZSTD_SIZE_OFFSET: Final = {2: 256}
"""The value to add to a frame's declared size, by the length of that field (RFC 8878, 3.1.1.1.4)."""
_SMALLEST_BUFFER: Final = 4_096
_SCRATCH: Final = bytearray(128 * 1024)
"""The buffer for small batches: allocating a buffer of the largest size takes longer than filling it."""
_u32 = struct.Struct("<I").unpack_from


class Bound:
    """How many bytes unpacked batches may take: one number for the whole process."""

    most_bytes: int = 32 * 1024 * 1024


BOUND: Final = Bound()


class Codec(IntEnum):
    """The compression of a batch, by the number in its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class _Plan(NamedTuple):
    """The likely size of the buffer, the bytes that the codec needs besides it, and the function that fills it."""

    size: int
    beside: int
    fill: Callable[[memoryview, memoryview], int]


def unpack(
    codec: int, packed: memoryview, *, most: int, reserve: Callable[[int], None], head: bytes = b"", tail: int = 0
) -> bytearray:
    """Return the unpacked bytes, after `head` and followed by `tail` zero bytes.

    `reserve` is called before each allocation with its size, without `head` and `tail`. Its exceptions are not caught.

    Raises:
        TooLargeError: unpacking would take more than `most` bytes.
        BatchFaultError: the codec is unknown, or the bytes are not valid for it.
    """
    try:
        plan = _plans[Codec(codec)](packed, most)
    except (struct.error, IndexError, ValueError, KeyError, cramjam.DecompressionError) as error:
        raise BatchFaultError("its compressed bytes are damaged, or its compression is unknown") from error
    if plan.size + plan.beside > most:
        raise TooLargeError(f"it takes {plan.size + plan.beside:,} bytes to unpack", most, UNPACKED_BOUND)
    for size in sorted({plan.size, most - plan.beside}):
        reserve(size + plan.beside)
        if (unpacked := _filled(plan, packed, size, head, tail)) is not None:
            return unpacked
    raise TooLargeError("it unpacks to more bytes than it declares", most, UNPACKED_BOUND)


def _filled(plan: _Plan, packed: memoryview, size: int, head: bytes, tail: int) -> bytearray | None:
    """Unpack into a buffer of `size` bytes; None if it is too small."""
    is_small = size <= len(_SCRATCH)
    buffer = _SCRATCH if is_small else bytearray(len(head) + size + tail)
    begin = 0 if is_small else len(head)
    try:
        with memoryview(buffer) as view, view[begin : begin + size] as target:
            written = plan.fill(packed, target)
    except cramjam.DecompressionError as error:
        if _BUFFER_IS_FULL in str(error):
            return None
        raise BatchFaultError("its compressed bytes are damaged") from error
    if is_small:
        return bytearray(head) + memoryview(buffer)[:written] + bytes(tail)
    buffer[:begin] = head
    del buffer[begin + written + tail :]
    return buffer


def _gzip(packed: memoryview, most: int) -> _Plan:
    """Plan by the last four bytes: the size of the last member, modulo 4 GB."""
    declared = _u32(packed, len(packed) - 4)[0]
    return _Plan(min(max(declared, _SMALLEST_BUFFER), most), 0, cramjam.gzip.decompress_into)


def _lz4(packed: memoryview, most: int) -> _Plan:
    """Plan by the most that the blocks of the first frame can contain (schemas/SOURCES.md, "LZ4 frames")."""
    magic, flags, block = struct.unpack_from("<IBB", packed)
    if magic != _LZ4_MAGIC:
        raise ValueError(magic)
    largest = 1 << (8 + 2 * (block >> 4 & 7))
    at = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
    checksum = 4 if flags & 0x10 else 0
    size = 0
    while length := _u32(packed, at)[0]:
        stored = length & ~_LZ4_STORED
        size += stored if length & _LZ4_STORED else min(largest, _LZ4_MOST_RATIO * stored)
        at += 4 + stored + checksum
    return _Plan(min(max(size, _SMALLEST_BUFFER), most), 0, cramjam.lz4.decompress_into)


def _zstd(packed: memoryview, most: int) -> _Plan:
    """Plan by the sizes that the frames declare, else by the most that their blocks can contain (RFC 8878).

    The decoder keeps a window of unpacked bytes, so memory is needed for both.
    """
    at = declared = holds = window = 0
    while at < len(packed):
        magic = _u32(packed, at)[0]
        if magic >> 4 == _ZSTD_SKIPPABLE:
            at += 8 + _u32(packed, at + 4)[0]
            continue
        if magic != _ZSTD_MAGIC:
            raise ValueError(magic)
        frame = _zstd_frame(packed, at + 4)
        at = frame.end
        declared += frame.declared or 0
        holds += frame.holds if frame.declared is None else 0
        window = max(window, min(frame.window, frame.holds))
    size = max(declared + holds, _SMALLEST_BUFFER)
    if holds:  # the size is only an upper bound
        window = min(window, most // 2)
        size = max(min(size, most - window), declared)
    return _Plan(size, min(window, size), cramjam.zstd.decompress_into)


class _Frame(NamedTuple):
    """A zstd frame: where it ends, its declared size, the most that its blocks can contain, its window in bytes."""

    end: int
    declared: int | None
    holds: int
    window: int


def _zstd_frame(packed: memoryview, at: int) -> _Frame:
    descriptor = packed[at]
    single, size_bytes = descriptor >> 5 & 1, (0, 2, 4, 8)[descriptor >> 6]
    at += 1
    window = 0 if single else _zstd_window(packed[at])
    at += 1 - single
    size_bytes = size_bytes or single
    at += (0, 1, 2, 4)[descriptor & 3]
    declared = int.from_bytes(packed[at : at + size_bytes], "little") + _ZSTD_SIZE_OFFSET.get(size_bytes, 0)
    window = declared if single else window
    end, holds = _zstd_blocks(packed, at + size_bytes, min(_ZSTD_BLOCK_BYTES, window))
    end += 4 if descriptor & 4 else 0
    return _Frame(end, declared if size_bytes else None, holds, window)


def _zstd_window(descriptor: int) -> int:
    base = 1 << (10 + (descriptor >> 3))
    return base + (base >> 3) * (descriptor & 7)


def _zstd_blocks(packed: memoryview, at: int, largest: int) -> tuple[int, int]:
    holds = last = 0
    while not last:
        header = packed[at] | packed[at + 1] << 8 | packed[at + 2] << 16
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == _ZSTD_RLE else size)
        holds += largest if kind > _ZSTD_RLE else size
    return at, holds


def _snappy(packed: memoryview, most: int) -> _Plan:
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        return _Plan(cramjam.snappy.decompress_raw_len(packed), 0, cramjam.snappy.decompress_raw_into)
    blocks: list[tuple[memoryview, int, int]] = []
    size, at = 0, _XERIAL_HEAD_BYTES
    while at < len(packed) and size <= most:
        (length,) = struct.unpack_from(">I", packed, at)
        block = packed[at + 4 : at + 4 + length]
        end = size + cramjam.snappy.decompress_raw_len(block)
        blocks.append((block, size, end))
        size, at = end, at + 4 + length

    def fill(_packed: memoryview, target: memoryview) -> int:
        for block, begin, end in blocks:
            cramjam.snappy.decompress_raw_into(block, target[begin:end])
        return size

    return _Plan(size, 0, fill)


_plans: Final = {Codec.GZIP: _gzip, Codec.SNAPPY: _snappy, Codec.LZ4: _lz4, Codec.ZSTD: _zstd}
