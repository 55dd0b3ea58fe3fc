"""A lightweight class for fetched messages.

aiokafka creates a `ConsumerRecord` for each message: eleven fields, an attribute dictionary, and objects that the
garbage collector tracks. That took a third of the consumer's CPU.

Headers are dropped, except the one that a worker reads: the format version. The four headers of a record take 700 bytes
of Python objects for each message in memory, and headers of a foreign producer may have any size. Of the other three
that a processor writes, the bare values are kept for a dead letter: 130 bytes, and nothing for the garbage collector to
visit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipeline.kafka.headers import (
    AVRO_RECORD_FORMAT,
    FORMAT_VERSION,
    RECORD_FORMAT,
    RULES_VERSION,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.messages import Message, Partition

NO_TIMESTAMP: Final = -1
"""The timestamp of a message without one. For messages in the oldest format aiokafka returns None instead."""
MAX_VERSION_BYTES: Final = 32
"""An unknown format version is truncated to this length, and kept so that it can be reported."""

MAX_ORIGIN_BYTES: Final = 64
"""Bound of a record's three other headers together; the processor's own have less than 50 bytes."""

_JSON_RECORD: Final = ((FORMAT_VERSION, RECORD_FORMAT),)
_AVRO_RECORD: Final = ((FORMAT_VERSION, AVRO_RECORD_FORMAT),)


class FetchedMessage(msgspec.Struct, frozen=True, gc=False):
    """A fetched message (`pipeline.core.messages.Message`). Of its headers, only the format version is kept as one.

    The last three fields are the values of a processor's other headers; empty if it did not write the message.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    source_partition: bytes = b""
    source_offset: bytes = b""
    rules_version: bytes = b""

    @property
    def own_headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers of a message that a processor wrote; none for any other message."""
        if not self.source_offset:
            return ()
        return (
            *self.headers,
            (SOURCE_PARTITION, self.source_partition),
            (SOURCE_OFFSET, self.source_offset),
            (RULES_VERSION, self.rules_version),
        )


def light_message(partition: Partition, record: Any) -> FetchedMessage:
    """Return the lightweight message for a record of aiokafka."""
    topic, number = partition
    timestamp = NO_TIMESTAMP if record.timestamp is None else record.timestamp
    headers = record.headers
    kept = _kept(headers) if headers else ()
    if kept is _JSON_RECORD or kept is _AVRO_RECORD:
        try:
            _, (first, source), (second, offset), (third, rules) = headers
            is_own = first == SOURCE_PARTITION and second == SOURCE_OFFSET and third == RULES_VERSION
            if is_own and len(source) + len(offset) + len(rules) <= MAX_ORIGIN_BYTES:
                return FetchedMessage(
                    topic, number, record.offset, timestamp, record.key, record.value, kept, source, offset, rules
                )
        except (TypeError, ValueError):
            pass  # another number of headers, or one without a value
    return FetchedMessage(topic, number, record.offset, timestamp, record.key, record.value, kept)


def own_headers(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers of a message that the pipeline may have written. Their values may be anything."""
    return message.own_headers if isinstance(message, FetchedMessage) else message.headers


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
