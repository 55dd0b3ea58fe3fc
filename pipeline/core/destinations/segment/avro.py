"""Write a record for Segment as Avro, and read it back as the same JSON bytes that the processor built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from pipeline.core.avro.records import record_decoder_factory, record_encoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.destinations.segment.record import Properties

if TYPE_CHECKING:
    from collections.abc import Mapping


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

encode_record: Final = record_encoder(SEGMENT_RECORD, orjson.loads)
record_decoder: Final = record_decoder_factory(SEGMENT_RECORD, _STRUCTS)
