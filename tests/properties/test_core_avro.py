from __future__ import annotations

import copy
import io
from functools import lru_cache
from typing import Any, Final

import avro.errors
import avro.io
import avro.schema
import orjson
from fastavro._read_common import SchemaResolutionError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.core.avro.contracts import NAMESPACE, RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.events import Event, decode
from pipeline.core.outcomes import Deliver, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.processing import STATELESS, process
from tests.avro_bodies import FRAME, Schema, as_event, read_by_fastavro, text_of, without_logical_types, written
from tests.builders import SEGMENT, RawMessage, encode, raw_event
from tests.properties.avro_strategies import written_events
from tests.properties.core_strategies import events, mutated_bodies

DELIVER_ALL: Final = Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER)
START: Final = len(FRAME)
UNREADABLE: Final = (RejectReason.NOT_AN_EVENT, RejectReason.NOT_AVRO, RejectReason.TOO_DEEP)

decode_ours: Final = event_decoder(text_of(RAW_EVENT.schema))
decode_record: Final = record_decoder(text_of(SEGMENT_RECORD.schema))
slow: Final = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def expected(value: bytes, schema: Schema) -> Event | RejectReason:
    try:
        return as_event(read_by_fastavro(value, schema))
    except SchemaResolutionError:
        return RejectReason.NOT_AN_EVENT


@slow
@given(written_events())
def test_an_event_of_any_writer_is_what_fastavro_resolves_it_to(drawn: tuple[Schema, dict[str, Any]]) -> None:
    schema, datum = drawn
    value = written(datum, schema)
    decode_theirs = event_decoder(text_of(schema))
    assert decode_theirs(value, START) == expected(value, schema)
    assert decode_theirs(value, START) == expected(value, schema), "the second time, from the cache"


@slow
@given(written_events(bytes_for_texts=False))
def test_what_the_avro_package_can_resolve_is_the_same_event(drawn: tuple[Schema, dict[str, Any]]) -> None:
    # Its reader is stricter than the specification and its own checker: it compares full names, does not read bytes as
    # strings, and resolves no union to a single type. Schemas that it refuses are compared with fastavro only.
    schema, datum = drawn
    schema["namespace"] = NAMESPACE
    value = written(datum, schema)
    found = event_decoder(text_of(schema))(value, START)
    theirs_of = avro.schema.parse(text_of(without_logical_types(schema)))
    reader = avro.io.DatumReader(theirs_of, avro.schema.parse(text_of(RAW_EVENT.schema)))
    try:
        theirs: Any = reader.read(avro.io.BinaryDecoder(io.BytesIO(value[START:])))
    except avro.errors.SchemaResolutionException:
        return
    assert found == as_event(theirs)


@slow
@given(written_events(), st.data())
def test_no_bytes_at_all_raise(drawn: tuple[Schema, dict[str, Any]], choices: st.DataObject) -> None:
    schema, datum = drawn
    decode_theirs = event_decoder(text_of(schema))
    whole = written(datum, schema)
    body = bytearray(whole[START:])
    for _ in range(choices.draw(st.integers(1, 3))):
        position = choices.draw(st.integers(0, max(len(body) - 1, 0)))
        body[position : position + choices.draw(st.integers(0, 3))] = choices.draw(st.binary(max_size=12))
    for changed in (bytes(body), choices.draw(st.binary(max_size=60)), whole[START : START + len(body) // 2]):
        found = decode_theirs(FRAME + changed, START)
        assert isinstance(found, Event) or found in UNREADABLE
    assert decode_theirs(whole, START) == expected(whole, schema), "a truncated value is not cached"


@lru_cache
def typical_body() -> bytes:
    return written(raw_event(data={"page_name": "Intro"}, user={"external_id": "u-2"}))


@given(st.integers(0, 450))
def test_a_body_cut_off_anywhere_is_not_avro(length: int) -> None:
    body = typical_body()
    shorter = body[: START + length % (len(body) - START)]
    assert decode_ours(shorter, START) is RejectReason.NOT_AVRO
    assert decode_ours(body + b"\x00", START) is RejectReason.NOT_AVRO
    assert isinstance(decode_ours(body, START), Event)


def with_texts_for_tags(event: Any) -> Any:
    """Return an event without what Avro expresses differently: it has no absent fields, and tags are texts."""
    plain = copy.deepcopy(event)
    plain["user"]["tags"] = {name: str(value) for name, value in plain["user"]["tags"].items()}
    return plain


@given(events())
@example(raw_event(timestamp=1.5, data={"failure_reason": "late"}))
@example(raw_event(timestamp="1767225600", message={"title": {}, "contents": None}))
def test_an_event_is_the_same_from_avro_as_from_json(event: Any) -> None:
    plain = with_texts_for_tags(event)
    assert decode_ours(written(plain), START) == decode(encode(plain))


@given(events() | mutated_bodies().map(lambda body: body))
def test_a_record_comes_back_from_avro_byte_for_byte(event: Any) -> None:
    body = event if isinstance(event, bytes) else encode(event)
    outcome = process(RawMessage(value=body), DELIVER_ALL, STATELESS)
    if isinstance(outcome, Deliver):
        assert decode_record(FRAME + encode_record(outcome.record), START) == outcome.record


@given(st.binary(max_size=200), st.integers(0, 200), st.binary(max_size=4))
def test_no_bytes_at_all_make_the_record_decoder_raise(noise: bytes, position: int, change: bytes) -> None:
    outcome = process(RawMessage(value=encode(raw_event())), DELIVER_ALL, STATELESS)
    assert isinstance(outcome, Deliver)
    body = encode_record(outcome.record)
    for value in (noise, body[:position] + change + body[position + len(change) :], body[:position]):
        found = decode_record(value, 0)
        assert found is None or isinstance(orjson.loads(found), dict)
