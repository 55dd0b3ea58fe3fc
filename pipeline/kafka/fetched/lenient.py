"""Read a batch in which aiokafka stumbles: header names may be any bytes.

aiokafka 0.14 decodes the name of every header as UTF-8 and raises where it is not
(`aiokafka/record/_crecords/default_records.pyx`, `_read_msg`). Kafka itself does not look at names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.kafka.fetched.faults import BatchFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.record.default_records import DefaultRecordBatch

_MOST_SHIFT = 63


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
    """A batch that aiokafka could not read to its end. What aiokafka can read of it is passed over."""

    def __init__(self, batch: DefaultRecordBatch, data: memoryview, begin: int) -> None:
        """Read the records of `data` from `begin` on; `batch` is the same for aiokafka."""
        self._batch = batch
        self._data = data
        self._begin = begin

    def __getattr__(self, name: str) -> Any:
        """Return what the batch tells of itself."""
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[LenientRecord]:
        """Give the records from the first that aiokafka cannot read.

        Raises:
            BatchFaultError: the bytes are no records.
        """
        readable = _readable(self._batch)
        count = int.from_bytes(self._data[self._begin - 4 : self._begin], "big", signed=True)
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
        for _ in range(count):
            name, at = _bytes(data, at, end)
            content, at = _bytes(data, at, end)
            headers.append(((name or b"").decode(errors="replace"), content))
        if at != end or count < 0:
            raise BatchFaultError("a record in it is not as long as it says")
        timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + timestamp_delta
        return LenientRecord(batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, value, headers)


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
