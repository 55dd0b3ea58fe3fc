"""Measure decoding from Avro: our compiled decoder, fastavro, the avro package, and msgspec's JSON.

Run it with ``python -m tests.bench.avro_benchmark``. Figures are measured as in `tests.bench.decode_benchmark`.
"""

from __future__ import annotations

import io
import itertools
import uuid
from typing import TYPE_CHECKING, Final

import avro.io
import avro.schema
import fastavro
import orjson

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.events import decode
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from tests.avro_bodies import FRAME, text_of, written
from tests.bench.decode_benchmark import show
from tests.builders import SEGMENT, encode, raw_event, raw_message

if TYPE_CHECKING:
    from tests.avro_bodies import Schema
    from tests.bench.decode_benchmark import Contenders

START: Final = len(FRAME)
_MESSAGES: Final = 5_000


def event_decoders() -> Contenders:
    """Return ways to decode the typical event; those into dicts do not build the pipeline's structs."""
    event = raw_event()
    body, value = encode(event), written(event)
    ours, schema = event_decoder(text_of(RAW_EVENT.schema)), fastavro.parse_schema(RAW_EVENT.schema)
    # Each message is different, so caching 40 bytes of each has no benefit.
    strangers = itertools.cycle([written(raw_event(message={"id": str(uuid.uuid4())})) for _ in range(_MESSAGES)])
    package = avro.io.DatumReader(avro.schema.parse(text_of(RAW_EVENT.schema)))
    if ours(value, START) != decode(body):
        raise AssertionError("the contenders must do the same")
    return {
        "JSON, msgspec, into structs": lambda: decode(body),
        "Avro, compiled, into structs; a message of many events": lambda: ours(value, START),
        "Avro, compiled, into structs; each event its own message": lambda: ours(next(strangers), START),
        "Avro, fastavro, into dicts": lambda: fastavro.schemaless_reader(io.BytesIO(value[START:]), schema, None),
        "Avro, avro package, into dicts": lambda: package.read(avro.io.BinaryDecoder(io.BytesIO(value[START:]))),
    }


def one_field_more() -> Schema:
    """Return a writer's schema whose event has a field that ours lacks, so that it must be resolved to ours."""
    event, *others = RAW_EVENT.schema["fields"]
    facts = event["type"]
    more = {"name": "received_by", "type": "string"}
    return {**RAW_EVENT.schema, "fields": [{**event, "type": {**facts, "fields": [*facts["fields"], more]}}, *others]}


def resolving_decoders() -> Contenders:
    """Return ways to decode the same event by our schema if the writer's schema has one more field."""
    event, writers = raw_event(), one_field_more()
    value = written(raw_event(received_by="gateway-eu-west-1"), writers)
    ours = event_decoder(text_of(writers))
    if ours(value, START) != decode(encode(event)):
        raise AssertionError("a field that is not read must change nothing")
    body = value[START:]
    theirs, wanted = fastavro.parse_schema(writers), fastavro.parse_schema(RAW_EVENT.schema)
    package = avro.io.DatumReader(avro.schema.parse(text_of(writers)), avro.schema.parse(text_of(RAW_EVENT.schema)))
    if fastavro.schemaless_reader(io.BytesIO(body), theirs, wanted) != package.read(
        avro.io.BinaryDecoder(io.BytesIO(body))
    ):
        raise AssertionError("the libraries must resolve alike")
    return {
        "Avro, compiled, into structs; a message of many events": lambda: ours(value, START),
        "Avro, fastavro, into dicts": lambda: fastavro.schemaless_reader(io.BytesIO(body), theirs, wanted),
        "Avro, avro package, into dicts": lambda: package.read(avro.io.BinaryDecoder(io.BytesIO(body))),
    }


def record_codecs() -> Contenders:
    """Return what a record costs on its way through an Avro topic."""
    outcome = process(raw_message(raw_event()), Policy(records=SEGMENT), STATELESS)
    if not isinstance(outcome, Deliver):
        raise TypeError(f"the benchmark's event was not delivered: {outcome}")
    record, body = outcome.record, encode_record(outcome.record)
    ours, schema = record_decoder(text_of(SEGMENT_RECORD.schema)), fastavro.parse_schema(SEGMENT_RECORD.schema)
    if ours(body, 0) != record:
        raise AssertionError("a record must come back as it was")
    return {
        "JSON, parsed by orjson": lambda: orjson.loads(record),
        "Avro, written by fastavro": lambda: encode_record(record),
        "Avro, compiled, back to JSON": lambda: ours(body, 0),
        "Avro, fastavro, into dicts": lambda: fastavro.schemaless_reader(io.BytesIO(body), schema, None),
    }


def preparations() -> Contenders:
    """Return the cost of a schema that was not seen before."""
    schema = text_of(RAW_EVENT.schema)
    return {"compile a decoder": lambda: event_decoder(schema)}


def main() -> None:
    """Print all tables."""
    event = raw_event()
    print(f"The typical event: {len(encode(event))} bytes of JSON, {len(written(event)) - START} bytes of Avro.")
    show("decode an event", event_decoders())
    show("decode an event whose writer has one field more", resolving_decoders())
    show("a record, through a topic and back", record_codecs())
    show("a schema", preparations(), calls=10)


if __name__ == "__main__":
    main()
