"""Write a record for Segment as Avro, and read it back as the same JSON bytes that the processor built.

Readers are compiled as for events (`pipeline.core.avro.source`); fastavro writes.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import fastavro
import msgspec
import orjson

from pipeline.core.avro.reading import TooDeepError
from pipeline.core.avro.schema_types import parse_schema, read_record
from pipeline.core.avro.source import reader_of
from pipeline.core.avro.vocabulary import MISFITS, UnreadableError
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.destinations.segment.record import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    DecodeRecord: TypeAlias = Callable[[bytes, int], bytes | None]


def _required() -> Any:
    """Raise, as the default of a required field after optional ones: `omit_defaults` would omit a default value."""
    raise TypeError("a required field is missing")


class _Integration(msgspec.Struct, frozen=True, gc=False):
    name: str
    version: str


class _OneSignal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    app_id: str | None = None
    channel: str = msgspec.field(default_factory=_required)
    action: str = msgspec.field(default_factory=_required)
    category: str = msgspec.field(default_factory=_required)
    mtu: dict[str, str] = msgspec.field(default_factory=_required)


class _Context(msgspec.Struct, frozen=True, gc=False):
    integration: _Integration
    onesignal: _OneSignal


class _Track(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`Track` of `pipeline.core.destinations.segment.record` without fields that are encoded in advance."""

    type: str
    event: str
    messageId: str  # noqa: N815 -- Segment's spelling
    properties: Properties
    context: _Context
    integrations: dict[str, bool]
    userId: str | None = None  # noqa: N815 -- Segment's spelling
    anonymousId: str | None = None  # noqa: N815 -- Segment's spelling
    timestamp: str | None = None


_STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "SegmentRecord": _Track,
    "Properties": Properties,
    "Context": _Context,
    "Integration": _Integration,
    "OneSignal": _OneSignal,
}
_READER: Final = read_record(SEGMENT_RECORD.schema)
_WRITER: Final = fastavro.parse_schema(SEGMENT_RECORD.schema)
_REFUSALS: Final = (((*MISFITS, UnreadableError, TooDeepError), None),)

_encode: Final = msgspec.json.Encoder().encode


def encode_record(record_json: bytes) -> bytes:
    """Return the Avro body of a record, without framing."""
    body = BytesIO()
    fastavro.schemaless_writer(body, _WRITER, orjson.loads(record_json), strict_allow_default=True)
    return body.getvalue()


def record_decoder(writer_schema: str) -> DecodeRecord:
    """Return a decoder of records that were written with a schema.

    Its arguments are the whole value of a message and the offset of the body. It returns the record as compact JSON;
    None when the bytes do not match the schema.

    Raises:
        UnusableSchemaError: the schema cannot be resolved to a record; the text gives the reason.
    """
    read = reader_of(parse_schema(writer_schema), _READER, _STRUCTS, _REFUSALS)

    def decode(value: bytes, start: int) -> bytes | None:
        track = read(value, start)
        return None if track is None else _encode(track)

    return decode
