"""The batches of one fetch response, in order. Each batch is checked before it is used.

They replace aiokafka's `MemoryRecords`, which reads the magic byte of each batch from the first one
(`aiokafka/record/_crecords/memory_records.pyx`, `magic = buf[MAGIC_OFFSET]`), and reads a header of 61 bytes from
batches that are shorter (`default_records.pyx`, `_read_header`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from pipeline.kafka.fetched.faults import BatchFaultError
from pipeline.kafka.fetched.lenient import LenientBatch, has_countless_headers
from pipeline.kafka.fetched.unpacking import Codec, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

_OVERHEAD_BYTES: Final = 12
"""A batch's first offset and its length field, which the length does not include."""
_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
_LAST_AT: Final = 23
_LAST_AND_COUNT: Final = struct.Struct(">i30xi")
"""The last offset minus the first, and the number of records."""
_HEAD_BYTES: Final = 61
_SMALLEST_LEGACY: Final = 26
_MAGIC_AT: Final = 16
_ATTRIBUTES_AT: Final = 21
_MAGIC: Final = 2
_CODEC_MASK: Final = 7
_NO_OFFSET: Final = 1 << 63
_TAIL_BYTES: Final = 16
"""aiokafka reads variable-length numbers without a check for the end of the buffer. None is longer than this."""
_LEGACY_SHARE: Final = 3
"""aiokafka needs a multiple of the size of a batch in an old format while it unpacks the batch."""


class Extent(NamedTuple):
    """The bytes of a batch, and its first offset."""

    begin: int
    end: int
    offset: int


def is_cut_off(data: bytes) -> bool:
    """Return whether an answer begins with an incomplete batch, or with one whose length field is impossible."""
    return len(data) < _OVERHEAD_BYTES or not _SMALLEST_LEGACY <= _end(data, 0) <= len(data)


class Batches:
    """The batches of an answer, for aiokafka's `PartitionRecords`, which calls `has_next` and `next_batch`."""

    def __init__(self, data: bytes, *, most: int, reserve: Callable[[int], None]) -> None:
        """Read `data`. Unpacking a batch takes at most `most` bytes; `reserve` is called before they are allocated."""
        self._data = data
        self._most = most
        self._reserve = reserve
        self._at = 0
        self.extent = Extent(0, 0, 0)
        """The batch that was returned last."""
        self.is_lenient = False
        """Whether that batch is read without aiokafka."""
        self.beyond = _NO_OFFSET
        """All records of that batch have an offset below this one."""
        self._again = False

    def has_next(self) -> bool:
        """Return whether another complete batch follows. A batch that is cut off comes again with the next answer."""
        at, size = self._at, len(self._data)
        return self._again or (size - at >= _OVERHEAD_BYTES and _end(self._data, at) <= size)

    def read_again(self, *, leniently: bool) -> None:
        """Make `next_batch` return the last batch once more."""
        self._again = True
        self.is_lenient = leniently

    def close(self) -> None:
        """Release the answer, and the function that allows memory."""
        self._data, self._at, self._again = b"", 0, False
        self._reserve = _nothing

    def next_batch(self) -> Any:
        """Return the next batch, unpacked.

        Raises:
            BatchFaultError: it cannot be read.
        """
        if not self._again:
            self._move_on()
        self._again = False
        begin, end, *_ = self.extent
        batch = memoryview(self._data)[begin:end]
        return self._modern(batch) if batch[_MAGIC_AT] == _MAGIC else self._legacy(batch)

    def _move_on(self) -> None:
        begin = self._at
        first, length = _OFFSET_AND_LENGTH.unpack_from(self._data, begin)
        end = begin + _OVERHEAD_BYTES + length
        self.is_lenient = False
        self.extent = Extent(begin, end, first)
        if end - begin < _SMALLEST_LEGACY:
            raise BatchFaultError("it is shorter than any batch")
        self._at = end
        declared = self._declared()
        self.beyond = _NO_OFFSET if declared is None else declared[0]

    def next_offset(self) -> int | None:
        """Return the offset at which the log continues after the last batch; None if that is not certain.

        Length and offsets of a damaged batch may be wrong too, and a skip must not include any other messages.
        """
        begin, end, first = self.extent
        if begin < end and len(self._data) - end >= _OVERHEAD_BYTES:
            following: int = _OFFSET_AND_LENGTH.unpack_from(self._data, end)[0]
            if following > first and self._is_sound(end, _end(self._data, end)):
                return following
        if (declared := self._declared()) is None or declared[0] <= first:
            return None
        following, count = declared
        return following if following == first + count or self._is_sound(begin, end) else None

    def _declared(self) -> tuple[int, int] | None:
        """Return the offset after the last batch and the number of its records, from its header; None without one."""
        begin, end, first = self.extent
        if end - begin < _HEAD_BYTES or self._data[begin + _MAGIC_AT] != _MAGIC:
            return None
        last_delta, count = _LAST_AND_COUNT.unpack_from(self._data, begin + _LAST_AT)
        return first + last_delta + 1, count

    def _is_sound(self, begin: int, end: int) -> bool:
        """Return whether these bytes are an intact batch."""
        if not begin + _SMALLEST_LEGACY <= end <= len(self._data):
            return False
        try:
            _checked(memoryview(self._data)[begin:end])
        except Exception:  # noqa: BLE001 - includes aiokafka's own errors
            return False
        return True

    def _modern(self, batch: memoryview) -> Any:
        found = _checked(batch)
        codec = batch[_ATTRIBUTES_AT + 1] & _CODEC_MASK
        if codec != Codec.NONE:
            head = bytearray(batch[:_HEAD_BYTES])
            head[_ATTRIBUTES_AT + 1] &= ~_CODEC_MASK
            unpacked = unpack(
                codec,
                batch[_HEAD_BYTES:],
                most=self._most,
                reserve=self._reserve,
                head=bytes(head),
                tail=_TAIL_BYTES,
            )
            batch = memoryview(unpacked)[:-_TAIL_BYTES]
            self._reserve(len(batch))
            found = DefaultRecordBatch(batch)
        is_countless = has_countless_headers(batch, _HEAD_BYTES)
        if self.is_lenient or is_countless:
            self.is_lenient = True
            return LenientBatch(found, batch, _HEAD_BYTES, from_its_first=is_countless)
        return found

    def _legacy(self, batch: memoryview) -> Any:
        """Return a batch in a format from before Kafka 0.11. These formats have no headers."""
        found, magic = _checked(batch), batch[_MAGIC_AT]
        if codec := batch[_MAGIC_AT + 1] & _CODEC_MASK:
            packed = memoryview(next(iter(LegacyRecordBatch(_stored(batch), magic))).value or b"")
            unpacked = unpack(codec, packed, most=self._most // _LEGACY_SHARE, reserve=self._reserve)
            self._reserve(_LEGACY_SHARE * len(unpacked))
        return found


def _checked(batch: memoryview) -> Any:
    """Return aiokafka's view of a batch, still compressed.

    Raises:
        BatchFaultError: it is damaged, or has an unknown format.
    """
    magic = batch[_MAGIC_AT]
    if magic > _MAGIC:
        raise BatchFaultError(f"its format {magic} is unknown")
    if magic == _MAGIC and len(batch) < _HEAD_BYTES:
        raise BatchFaultError("it is shorter than any batch")
    found = DefaultRecordBatch(batch) if magic == _MAGIC else LegacyRecordBatch(batch, magic)
    if not found.validate_crc():
        raise BatchFaultError("its checksum does not match")
    return found


def _nothing(size: int) -> None:
    """Do nothing: a closed answer needs no memory."""


def _stored(batch: memoryview) -> bytes:
    """Return the batch with its attributes changed to uncompressed."""
    copy = bytearray(batch)
    copy[_MAGIC_AT + 1] &= ~_CODEC_MASK
    return bytes(copy)


def _end(data: bytes, begin: int) -> int:
    length: int = _OFFSET_AND_LENGTH.unpack_from(data, begin)[1]
    return begin + _OVERHEAD_BYTES + length
