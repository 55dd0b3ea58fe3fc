"""Write a record for Mixpanel as Avro, and read it back as the same JSON bytes that the processor built.

Avro's names have neither spaces nor `$`, so the contract has the names of the structs' attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import asdict

from pipeline.core.avro.records import record_decoder_factory, record_encoder
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.mixpanel.record import DetailedProperties

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Properties(DetailedProperties, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """All properties. Others cannot be written."""


class _ImportedEvent(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    event: str
    properties: _Properties


_STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = {"MixpanelRecord": _ImportedEvent, "Properties": _Properties}
_decode: Final = msgspec.json.Decoder(_ImportedEvent).decode


def _fields_of(record_json: bytes) -> Mapping[str, Any]:
    record = _decode(record_json)
    return {"event": record.event, "properties": asdict(record.properties)}


encode_record: Final = record_encoder(MIXPANEL_RECORD, _fields_of)
record_decoder: Final = record_decoder_factory(MIXPANEL_RECORD, _STRUCTS)
