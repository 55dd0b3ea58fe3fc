"""A lightweight class for fetched messages.

aiokafka creates a `ConsumerRecord` for each message: eleven fields, an attribute dictionary, and objects that the
garbage collector tracks. That took a third of the consumer's CPU.

Headers are dropped, except the one that a worker reads: the format version. The four headers of a record take 700 bytes
of Python objects for each message in memory, and headers of a foreign producer may have any size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.messages import Partition

NO_TIMESTAMP: Final = -1
"""The timestamp of a message without one. For messages in the oldest format aiokafka returns None instead."""
MAX_VERSION_BYTES: Final = 32
"""An unknown format version is truncated to this length, and kept so that it can be reported."""

_JSON_RECORD: Final = ((FORMAT_VERSION, RECORD_FORMAT),)
_AVRO_RECORD: Final = ((FORMAT_VERSION, AVRO_RECORD_FORMAT),)


class FetchedMessage(msgspec.Struct, frozen=True, gc=False):
    """A fetched message (`pipeline.core.messages.Message`). Of its headers, only the format version is kept."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def light_message(partition: Partition, record: Any) -> FetchedMessage:
    """Return the lightweight message for a record of aiokafka."""
    headers = record.headers
    return FetchedMessage(
        partition[0],
        partition[1],
        record.offset,
        NO_TIMESTAMP if record.timestamp is None else record.timestamp,
        record.key,
        record.value,
        _kept(headers) if headers else (),
    )


def _kept(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Return only the format version. The two known versions are shared tuples, and come first in our own records.

    Kafka allows a header without a value. Such a header has no version and is ignored.
    """
    first = headers[0]
    if first == _JSON_RECORD[0]:
        return _JSON_RECORD
    if first == _AVRO_RECORD[0]:
        return _AVRO_RECORD
    for name, value in headers:
        if name == FORMAT_VERSION and value is not None:
            return ((FORMAT_VERSION, value[:MAX_VERSION_BYTES]),)
    return ()
