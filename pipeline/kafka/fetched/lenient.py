"""Read batches that aiokafka cannot read: header names may be any bytes, and there may be millions of headers.

aiokafka 0.14 decodes the name of every header as UTF-8, raises if that fails, and creates objects for all headers
(`aiokafka/record/_crecords/default_records.pyx`, `_read_msg`). Kafka itself checks neither names nor numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.kafka.fetched.faults import BatchFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.record.default_records import DefaultRecordBatch

MOST_HEADERS: Final = 100_000
"""If a record has more headers than this, none of them is read."""
_CHECKED_FROM_BYTES: Final = 1_048_600
"""Batches of this size or more are checked for too many headers. By default brokers accept them only compressed.
In a smaller batch, the objects of all headers take at most 32 MB."""
_SMALLEST_HEADER_BYTES: Final = 2
_MOST_SHIFT: Final = 63


class LenientRecord(NamedTuple):
    """A message with the attributes of aiokafka's own records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class LenientBatch:
    """A batch that is read without aiokafka, from its first record or from the first that aiokafka cannot read."""

    def __init__(self, batch: DefaultRecordBatch, data: memoryview, begin: int, *, from_its_first: bool) -> None:
        """Read the records of `data` from `begin` on; `batch` is aiokafka's view of the same bytes.

        If `from_its_first` is false, the records that aiokafka can read are skipped.
        """
        self._batch = batch
        self._data = data
        self._begin = begin
        self._from_its_first = from_its_first

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of aiokafka's batch."""
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[LenientRecord]:
        """Yield the records.

        Raises:
            BatchFaultError: the bytes are not valid records.
        """
        readable = 0 if self._from_its_first else _readable(self._batch)
        count = _count(self._data, self._begin)
        at = self._begin
        try:
            for index in range(count):
                length, at = _number(self._data, at)
                end = at + length
                if not at < end <= len(self._data):
                    raise BatchFaultError("a record in it reaches past its end")
                if index >= readable:
                    yield self._record(at, end)
                at = end
        except IndexError as error:
            raise BatchFaultError("it contains fewer records than it declares") from error
        if at != len(self._data):
            raise BatchFaultError("it contains more bytes than the records that it declares")

    def _record(self, at: int, end: int) -> LenientRecord:
        data, batch = self._data, self._batch
        _, at = _number(data, at)
        timestamp_delta, at = _number(data, at)
        offset_delta, at = _number(data, at)
        key, at = _bytes(data, at, end)
        value, at = _bytes(data, at, end)
        count, at = _number(data, at)
        headers: list[tuple[str, bytes | None]] = []
        if MOST_HEADERS < count <= (end - at) // _SMALLEST_HEADER_BYTES:
            count, at = 0, end
        for _ in range(count):
            name, at = _bytes(data, at, end)
            content, at = _bytes(data, at, end)
            headers.append(((name or b"").decode(errors="replace"), content))
        if at != end or count < 0:
            raise BatchFaultError("a record in it does not have its declared length")
        timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + timestamp_delta
        return LenientRecord(batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, value, headers)


def has_countless_headers(data: memoryview, begin: int) -> bool:
    """Return whether a record has more than `MOST_HEADERS` headers; `begin` is where the first record starts.

    Wrong lengths are detected later, when the records are read.
    """
    if len(data) < _CHECKED_FROM_BYTES:
        return False
    at = begin
    try:
        for _ in range(_count(data, begin)):
            length, at = _number(data, at)
            if length > _SMALLEST_HEADER_BYTES * MOST_HEADERS and _headers(data, at, at + length) > MOST_HEADERS:
                return True
            at += max(0, length)
    except (IndexError, BatchFaultError):
        return False
    return False


def _headers(data: memoryview, at: int, end: int) -> int:
    """Return the declared number of headers of a record."""
    at += 1
    for _ in range(2):
        _, at = _number(data, at)
    for _ in range(2):
        length, at = _number(data, at)
        at += max(0, length)
    count, at = _number(data, at)
    return count if at <= end else 0


def _count(data: memoryview, begin: int) -> int:
    """Return the declared number of records of a batch."""
    return int.from_bytes(data[begin - 4 : begin], "big", signed=True)


def _readable(batch: DefaultRecordBatch) -> int:
    """Return how many records aiokafka can read before it fails."""
    count = 0
    try:
        for _ in batch:
            count += 1
    except Exception:  # noqa: BLE001 - any error ends the count
        return count
    return count


def _bytes(data: memoryview, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = _number(data, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise BatchFaultError("a record in it reaches past its end")
    return bytes(data[at : at + length]), at + length


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Return a variable-length number, and where it ends."""
    byte = data[at]
    value, shift = byte & 0x7F, 7
    at += 1
    while byte & 0x80:
        if shift > _MOST_SHIFT:
            raise BatchFaultError("a number in it is too long")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return (value >> 1) ^ -(value & 1), at
