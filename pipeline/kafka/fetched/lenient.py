"""Read a batch in which aiokafka stumbles: header names may be any bytes, and there may be millions of them.

aiokafka 0.14 decodes the name of every header as UTF-8, raises where it is not, and makes objects of all of them
(`aiokafka/record/_crecords/default_records.pyx`, `_read_msg`). Kafka itself looks neither at names nor at numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.kafka.fetched.faults import BatchFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.record.default_records import DefaultRecordBatch

MOST_HEADERS: Final = 100_000
"""The headers of a record that has more are not read."""
_LOOKED_AT_BYTES: Final = 1_048_600
"""A larger batch is looked at. Brokers take none by default but packed ones; in others, the objects of all headers take
no more than 32 MB."""
_SMALLEST_HEADER_BYTES: Final = 2
_MOST_SHIFT: Final = 63


class LenientRecord(NamedTuple):
    """A message as aiokafka's own records show it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class LenientBatch:
    """A batch that is read without aiokafka, from its first record or from the one that aiokafka stumbles at."""

    def __init__(self, batch: DefaultRecordBatch, data: memoryview, begin: int, *, from_its_first: bool) -> None:
        """Read the records of `data` from `begin` on; `batch` is the same for aiokafka.

        Where `from_its_first` is false, what aiokafka can read of it is passed over.
        """
        self._batch = batch
        self._data = data
        self._begin = begin
        self._from_its_first = from_its_first

    def __getattr__(self, name: str) -> Any:
        """Return what the batch tells of itself."""
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[LenientRecord]:
        """Yield the records.

        Raises:
            BatchFaultError: the bytes are no records.
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
            raise BatchFaultError("it holds fewer records than it says") from error
        if at != len(self._data):
            raise BatchFaultError("it holds more than the records that it says")

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
            raise BatchFaultError("a record in it is not as long as it says")
        timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + timestamp_delta
        return LenientRecord(batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, value, headers)


def has_countless_headers(data: memoryview, begin: int) -> bool:
    """Return whether a record has more headers than objects may be made of; `begin` is where the first record is.

    Lengths that lie are found when the records are read.
    """
    if len(data) < _LOOKED_AT_BYTES:
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
    """Return how many headers a record says to have."""
    at += 1
    for _ in range(2):
        _, at = _number(data, at)
    for _ in range(2):
        length, at = _number(data, at)
        at += max(0, length)
    count, at = _number(data, at)
    return count if at <= end else 0


def _count(data: memoryview, begin: int) -> int:
    """Return how many records a batch says to have."""
    return int.from_bytes(data[begin - 4 : begin], "big", signed=True)


def _readable(batch: DefaultRecordBatch) -> int:
    """Count the records that aiokafka can read before it stumbles."""
    count = 0
    try:
        for _ in batch:
            count += 1
    except Exception:  # noqa: BLE001 - whatever it is, it is what this count ends at
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
    """Return a number of variable length and where it ends."""
    byte = data[at]
    value, shift = byte & 0x7F, 7
    at += 1
    while byte & 0x80:
        if shift > _MOST_SHIFT:
            raise BatchFaultError("a number in it is longer than any number")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return (value >> 1) ^ -(value & 1), at
