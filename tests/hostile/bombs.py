"""Small batches that decompress to more memory than a worker has. They are compressed in pieces, never held whole."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

import cramjam

from tests.hostile.batches import Codec, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIGABYTE: Final = 1_000_000_000
_PIECE: Final = bytes(8 * 1024 * 1024)
_XERIAL: Final = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
_BLOCK_BYTES: Final = 16 * 1024 * 1024
_SNAPPY_COPY: Final = b"\xfe\x01\x00"
"""Copy 64 bytes from one byte back: the largest expansion of three bytes of snappy."""
_WBITS_OF_GZIP: Final = 31


def packed_zeros(codec: Codec, unpacked_bytes: int) -> bytes:
    """Return the compressed records section of one message whose value is that many zeros."""
    head, tail = _around(unpacked_bytes)
    return _PACKERS[codec](head, unpacked_bytes, tail)


def lying_snappy() -> bytes:
    """Return a snappy block of a few bytes that claims to decompress to nearly 4 GB."""
    block = _length_of_snappy(2**32 - 1) + b"\x00x"
    return _XERIAL + struct.pack(">i", len(block)) + block


def _around(value_bytes: int) -> tuple[bytes, bytes]:
    """Return a record's bytes before and after its value: no key, no headers."""
    inner = b"\0" + varint(0) + varint(0) + varint(-1) + varint(value_bytes)
    tail = varint(0)
    return varint(len(inner) + value_bytes + len(tail)) + inner, tail


def _streamed(codec: Codec) -> Callable[[bytes, int, bytes], bytes]:
    def pack(head: bytes, zeros: int, tail: bytes) -> bytes:
        compress, finish = _stream(codec)
        packed = bytearray(compress(head))
        for piece in _pieces(zeros):
            packed += compress(piece)
        return bytes(packed + compress(tail) + finish())

    return pack


def _stream(codec: Codec) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """Return the compressor of a piece, and of the end."""
    if codec is Codec.GZIP:
        packer = zlib.compressobj(wbits=_WBITS_OF_GZIP)
        return packer.compress, packer.flush
    stream: Any = cramjam.zstd.Compressor(3) if codec is Codec.ZSTD else cramjam.lz4.Compressor(block_linked=False)

    def compress(piece: bytes) -> bytes:
        stream.compress(piece)
        return bytes(stream.flush())

    return compress, lambda: bytes(stream.finish())


def _pieces(count: int) -> Iterator[bytes]:
    while count > 0:
        yield _PIECE[:count]
        count -= len(_PIECE)


def _pack_snappy(head: bytes, zeros: int, tail: bytes) -> bytes:
    """Encode snappy by hand: a zero, and copies of it."""
    packed = bytearray(_XERIAL + _block_of_snappy(head, 0))
    while zeros > 0:
        part = min(zeros, _BLOCK_BYTES)
        packed += _block_of_snappy(b"\0", part - 1)
        zeros -= part
    return bytes(packed + _block_of_snappy(tail, 0))


def _block_of_snappy(literal: bytes, repeats: int) -> bytes:
    """Return a block of a short literal and its last byte, repeated many times."""
    copies, rest = divmod(repeats, 64)
    last = bytes([(rest - 1) << 2 | 2, 1, 0]) if rest else b""
    block = _length_of_snappy(len(literal) + repeats) + bytes([(len(literal) - 1) << 2]) + literal
    block += _SNAPPY_COPY * copies + last
    return struct.pack(">i", len(block)) + block


def _length_of_snappy(length: int) -> bytes:
    written = bytearray()
    while length > 0x7F:
        written.append(length & 0x7F | 0x80)
        length >>= 7
    written.append(length)
    return bytes(written)


_PACKERS: Final = {
    Codec.GZIP: _streamed(Codec.GZIP),
    Codec.LZ4: _streamed(Codec.LZ4),
    Codec.ZSTD: _streamed(Codec.ZSTD),
    Codec.SNAPPY: _pack_snappy,
}
