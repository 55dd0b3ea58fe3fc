"""Decode one OneSignal event from Avro, to the same `Event` that `pipeline.core.events` decodes from JSON.

A decoder is compiled for each writer's schema (`pipeline.core.avro.source`). The few differences:

- Avro has no absent fields; null counts as absent, and so does a time that is not a number (NaN).
- Tags are texts. They are encoded to the same compact JSON that `read_tags` reads.
- Values of other types are not converted: a text of our schema must be a string or bytes in the writer's schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.reading import TooDeepError
from pipeline.core.avro.schema_types import parse_schema, read_record
from pipeline.core.avro.source import reader_of
from pipeline.core.avro.vocabulary import MISFITS, UnreadableError
from pipeline.core.cleaning import cleaned, content_without_nul, event_without_nul, is_clean, is_without_nul
from pipeline.core.content import Details, EventContent
from pipeline.core.events import Event, Facts, Person
from pipeline.core.outcomes import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec

    from pipeline.core.avro.schema_types import Record, Type

    DecodeEvent: TypeAlias = Callable[[bytes, int], Event | RejectReason]

_STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "RawEvent": Event,
    "Event": Facts,
    "EventData": Details,
    "Message": EventContent,
    "User": Person,
}
_READER: Final = read_record(RAW_EVENT.schema)
_REFUSALS: Final = (
    (MISFITS, RejectReason.NOT_AVRO),
    (UnreadableError, RejectReason.NOT_AN_EVENT),
    (TooDeepError, RejectReason.TOO_DEEP),
)
_REPEATED: Final = {"Message": content_without_nul}


def event_decoder(writer_schema: str) -> DecodeEvent:
    """Return a decoder of events that were written with a schema.

    Its arguments are the whole value of a message and the offset of the body. The decoder itself never raises.

    Raises:
        UnusableSchemaError: the schema cannot be resolved to an event; the text gives the reason.
    """
    return _decoder(parse_schema(writer_schema), _READER)


def _decoder(writer: Type, reader: Record) -> DecodeEvent:
    return reader_of(writer, reader, _STRUCTS, _REFUSALS, _REPEATED, mending=((is_clean, is_without_nul), _mended))


def _mended(event: Event) -> Event:
    plain = event_without_nul(event)
    return plain if is_clean(plain) else cleaned(plain)
