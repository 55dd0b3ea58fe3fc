"""Avro bodies written and read by fastavro, which is independent of the decoder under test."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import fastavro
import msgspec
import orjson

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.cleaning import cleaned, event_without_nul, is_clean
from pipeline.core.content import Details, EventContent
from pipeline.core.events import Event, Facts, Person
from pipeline.core.tags import NO_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema: TypeAlias = dict[str, Any]

FRAME = b"\x00\x00\x00\x00\x07"
"""Confluent's framing of schema 7; the body starts after it."""


def without_logical_types(schema: Any) -> Any:
    """Return a schema without logical types, which the pipeline ignores and the libraries convert."""
    if isinstance(schema, list):
        return [without_logical_types(item) for item in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def written(datum: Mapping[str, Any], schema: Schema = RAW_EVENT.schema) -> bytes:
    """Return a framed body."""
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(without_logical_types(schema)), datum)
    return FRAME + body.getvalue()


def read_by_fastavro(value: bytes, writer: Schema, reader: Schema = RAW_EVENT.schema) -> Any:
    """Read a framed body by the rules of resolution."""
    parsed = fastavro.parse_schema(without_logical_types(writer))
    return fastavro.schemaless_reader(BytesIO(value[len(FRAME) :]), parsed, fastavro.parse_schema(reader))


def as_event(found: Mapping[str, Any]) -> Event:
    """Return what a library has read as an `Event` without empty ids and U+0000, like the decoders."""
    facts, content, person = found["event"], found["message"], found["user"]
    details = facts["data"]
    if person is not None:
        tags = person["tags"]
        person = Person(**{**person, "tags": NO_TAGS if tags is None else msgspec.Raw(orjson.dumps(tags))})
    event = Event(
        event=Facts(**{**facts, "data": None if details is None else Details(**details)}),
        message=None if content is None else EventContent(**content),
        user=person,
    )
    plain = event_without_nul(event)
    return plain if is_clean(plain) else cleaned(plain)


def text_of(schema: Schema) -> str:
    """Return a schema as a registry gives it."""
    return json.dumps(schema)
