"""Record batches of format 2, written byte by byte, so that they can hold what no client library writes.

The format is that of Kafka's protocol guide, "Record Batch". Everything is pure.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import cramjam
from aiokafka.codec import lz4_encode, snappy_encode
from aiokafka.record.util import calc_crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Headers = Sequence[tuple[bytes, bytes | None]]

NOBODY: Final = -1
"""The producer id and the epoch of a producer that is neither idempotent nor transactional."""
NO_TIME: Final = -1
_MAGIC: Final = 2
_BEFORE_LENGTH: Final = struct.Struct(">qi")
_BEFORE_CHECKSUM: Final = struct.Struct(">ib")
_CHECKSUM: Final = struct.Struct(">I")
_CHECKED: Final = struct.Struct(">hiqqqhii")
CHECKED_FROM: Final = _BEFORE_LENGTH.size + _BEFORE_CHECKSUM.size + _CHECKSUM.size
"""The start of the bytes that the checksum covers: the attributes."""
LAST_OFFSET_DELTA_AT: Final = CHECKED_FROM + 2
COUNT_AT: Final = CHECKED_FROM + _CHECKED.size - 4
RECORDS_AT: Final = CHECKED_FROM + _CHECKED.size
_CONTROL: Final = 0x20
_TRANSACTIONAL: Final = 0x10


class Codec(IntEnum):
    """How the records of a batch are compressed: the lowest three bits of its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


_COMPRESSORS: Final[Mapping[Codec, Callable[[bytes], bytes]]] = {
    Codec.NONE: lambda records: records,
    Codec.GZIP: lambda records: gzip.compress(records, mtime=0),
    Codec.SNAPPY: snappy_encode,
    Codec.LZ4: lz4_encode,
    Codec.ZSTD: lambda records: bytes(cramjam.zstd.compress(records)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message of a batch. Names of headers are bytes, since they need not be UTF-8.

    `more_milliseconds` is added to the timestamp of the batch. `lies` are bytes to write instead of the headers and
    their count. `length`, and `offset` relative to the batch, are written instead of the true ones.
    """

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    more_milliseconds: int = 0
    lies: bytes | None = None
    length: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch and what it claims about itself; None in a field means the true value.

    `packed` are its compressed records, for records that are too large to be built in memory.
    """

    records: Sequence[Record]
    codec: Codec = Codec.NONE
    first_timestamp: int = NO_TIME
    is_control: bool = False
    is_transactional: bool = False
    producer_id: int = NOBODY
    producer_epoch: int = NOBODY
    base_sequence: int = NOBODY
    count: int | None = None
    packed: bytes | None = field(default=None, repr=False)


def encoded(batch: Batch, *, base_offset: int = 0) -> bytes:
    """Return the bytes of a batch, with a correct checksum."""
    attributes = batch.codec | _CONTROL * batch.is_control | _TRANSACTIONAL * batch.is_transactional
    count = len(batch.records) if batch.count is None else batch.count
    latest = max((each.more_milliseconds for each in batch.records), default=0)
    has_time = batch.first_timestamp != NO_TIME
    checked = _CHECKED.pack(
        attributes,
        count - 1,
        batch.first_timestamp,
        batch.first_timestamp + latest if has_time else NO_TIME,
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        count,
    )
    packed = _COMPRESSORS[batch.codec](records_section(batch.records)) if batch.packed is None else batch.packed
    return _framed(checked + packed, base_offset=base_offset)


def records_section(records: Iterable[Record]) -> bytes:
    """Return the records of a batch, one after the other and uncompressed."""
    return b"".join(_encoded_record(number, record) for number, record in enumerate(records))


def checked_again(batch: bytes) -> bytes:
    """Return a batch whose bytes were changed, with its checksum and length made correct again."""
    (offset,) = struct.unpack_from(">q", batch)
    return _framed(batch[CHECKED_FROM:], base_offset=offset)


def with_number(batch: bytes, number: int, *, at: int) -> bytes:
    """Return a batch with another 32-bit number at an index such as `COUNT_AT`, and a correct checksum."""
    return checked_again(batch[:at] + struct.pack(">i", number) + batch[at + 4 :])


def flipped(batch: bytes, *, at: int = -1) -> bytes:
    """Return a batch in which one byte was damaged in transit; its checksum is wrong."""
    damaged = bytearray(batch)
    damaged[at] ^= 0xFF
    return bytes(damaged)


def varint(number: int) -> bytes:
    """Return a signed number as Kafka encodes it in records: zigzag, seven bits per byte."""
    left = (number << 1) ^ (number >> 63)
    left &= 0xFFFFFFFFFFFFFFFF
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def _framed(checked: bytes, *, base_offset: int) -> bytes:
    length = _BEFORE_CHECKSUM.size + _CHECKSUM.size + len(checked)
    return b"".join(
        (
            _BEFORE_LENGTH.pack(base_offset, length),
            _BEFORE_CHECKSUM.pack(0, _MAGIC),
            _CHECKSUM.pack(calc_crc32c(checked)),
            checked,
        )
    )


def _encoded_record(number: int, record: Record) -> bytes:
    body = b"".join(
        (
            b"\0",
            varint(record.more_milliseconds),
            varint(number if record.offset is None else record.offset),
            _nullable(record.key),
            _nullable(record.value),
            encoded_headers(record.headers) if record.lies is None else record.lies,
        )
    )
    return varint(len(body) if record.length is None else record.length) + body


def encoded_headers(headers: Headers) -> bytes:
    """Return the count of headers, and each of them."""
    each = (varint(len(name)) + name + _nullable(value) for name, value in headers)
    return varint(len(headers)) + b"".join(each)


def _nullable(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value
