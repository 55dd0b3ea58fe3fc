from __future__ import annotations

import copy
import struct
from typing import Any, Final

import pytest

from pipeline.core.avro import decoding
from pipeline.core.avro.cache import PartCache
from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.avro.schema_types import UnusableSchemaError, read_record, read_schema
from pipeline.core.content import EventContent
from pipeline.core.events import Event, decode
from pipeline.core.outcomes import RejectReason
from pipeline.core.tags import NO_TAGS, read_tags
from pipeline.core.timestamps import event_time
from tests.avro_bodies import FRAME, Schema, as_event, read_by_fastavro, text_of, written
from tests.builders import encode, raw_event

START: Final = len(FRAME)
TOKEN: Final = "6f1a0cf2b7d94e0f"
TEXTS: Final[Schema] = {"type": "map", "values": "string"}
SUBSCRIPTION: Final[Schema] = {
    "type": "record",
    "name": "Subscription",
    "fields": [
        {"name": "subscription_token", "type": ["null", "string"]},
        {"name": "device_model", "type": "string"},
        {"name": "sessions", "type": {"type": "array", "items": {"type": "map", "values": "double"}}},
    ],
}


def record(name: str, *fields: tuple[str, Any]) -> Schema:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in fields]}


def least(*fields: tuple[str, Any], kind: Any = "string") -> Schema:
    """Return the smallest schema of a raw event, with additional fields of the event."""
    return record("RawEvent", ("event", record("Event", ("kind", kind), *fields)))


def beside(*fields: tuple[str, Any]) -> Schema:
    """Return the smallest schema of a raw event, with fields in addition to the event."""
    return record("RawEvent", *fields, ("event", record("Event", ("kind", "string"))))


def decoded(value: bytes, schema: Schema = RAW_EVENT.schema) -> Event:
    event = event_decoder(text_of(schema))(value, START)
    assert isinstance(event, Event), event
    return event


def changed(field: str, kind: Any) -> Schema:
    """Return our schema with another type of the field at a path."""
    schema = copy.deepcopy(RAW_EVENT.schema)
    inner: Any = schema
    *parts, name = field.split(".")
    for part in parts:
        inner = next(member["type"] for member in inner["fields"] if member["name"] == part)
        inner = inner[1] if isinstance(inner, list) else inner
    for member in inner["fields"]:
        if member["name"] == name:
            member["type"] = kind
            member.pop("default", None)
    return schema


def test_the_typical_event_is_the_same_as_from_json() -> None:
    event = raw_event(data={"page_name": "Intro"})
    assert decoded(written(event)) == decode(encode(event))


def test_the_body_may_start_anywhere() -> None:
    body = written(raw_event())[START:]
    single_object = b"\xc3\x01" + bytes(8)
    assert event_decoder(text_of(RAW_EVENT.schema))(single_object + body, 10) == decoded(FRAME + body)


def test_texts_of_every_length_are_read() -> None:
    for length in (0, 1, 63, 64, 8_191, 8_192, 100_000):
        text = "é" * (length // 2) + "x" * (length % 2)
        event = decoded(written(raw_event(external_id=text, message={"title": {text: text}})))
        assert event.event.external_id == text
        assert event.message is not None
        assert event.message.title == {text: text}


def test_an_event_that_is_only_a_kind_is_read() -> None:
    event = decoded(written({"event": {"kind": "message.push.sent"}}))
    assert (event.event.kind, event.event.data, event.message, event.user) == ("message.push.sent", None, None, None)


def test_a_blank_kind_is_read_as_from_json() -> None:
    assert decoded(written({"event": {"kind": ""}})).event.kind == ""


def test_tags_are_there_for_rules_that_ask_for_them() -> None:
    event = decoded(written(raw_event(user={"tags": {"plan": "premium", "note": 'a "b"\n\x00é'}})))
    assert event.user is not None
    assert read_tags(event.user.tags, ("plan", "note")) == {"plan": "premium", "note": 'a "b"\n\x00é'}
    without = decoded(written(raw_event(user={"tags": None})))
    assert without.user is not None
    assert without.user.tags == NO_TAGS


@pytest.mark.parametrize(
    ("kind", "datum", "time"),
    [
        ("int", 1_767_225_600, "2026-01-01T00:00:00.000Z"),
        ("long", 1_767_225_600_120, "2026-01-01T00:00:00.120Z"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1_767_225_600_120, "2026-01-01T00:00:00.120Z"),
        ("double", 1_767_225_600.12, "2026-01-01T00:00:00.120Z"),
        ("float", 1_767_225_600.0, "2026-01-01T00:00:00.000Z"),
        ("string", "2026-01-01T00:00:00.120Z", "2026-01-01T00:00:00.120Z"),
        ("bytes", b"1767225600", "2026-01-01T00:00:00.000Z"),
        ("double", float("nan"), None),
        ("double", float("inf"), None),
        ("float", float("nan"), None),
        ("long", -1, None),
        ("long", 2**63 - 1, None),
        ("long", -(2**63), None),
    ],
)
def test_a_time_may_be_any_number_or_text(kind: Any, datum: object, time: str | None) -> None:
    schema = least(("timestamp", kind))
    event = decoded(written({"event": {"kind": "k", "timestamp": datum}}, schema), schema)
    assert event_time(event.event.timestamp, None, -1) == time


def test_what_identifies_a_device_is_passed_over() -> None:
    schema = copy.deepcopy(RAW_EVENT.schema)
    user = schema["fields"][2]["type"][1]
    user["fields"].insert(1, {"name": "subscription", "type": ["null", SUBSCRIPTION]})
    subscription = {"subscription_token": TOKEN, "device_model": "iPhone15,2", "sessions": [{"a": 1.5, "b": 2.0}]}
    for parts in (subscription, {**subscription, "subscription_token": None, "sessions": []}, None):
        event = raw_event(user={"subscription": parts})
        found = decoded(written(event, schema), schema)
        assert found == decode(encode(event))
        assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("kind", "datum"),
    [
        ("null", None),
        ("boolean", True),
        ("int", -(2**31)),
        ("long", 2**63 - 1),
        ("float", 1.5),
        ("double", -1.5),
        ("bytes", b"\xff" * 70),
        ("string", "é" * 70),
        ({"type": "fixed", "name": "F", "size": 5}, b"12345"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B"),
        ({"type": "array", "items": "double"}, [1.5, 2.5, 3.5]),
        ({"type": "array", "items": "int"}, [1, 2**20, -5]),
        ({"type": "array", "items": record("P", ("x", "float"), ("y", "boolean"))}, [{"x": 1.0, "y": True}] * 3),
        ({"type": "map", "values": ["null", "double"]}, {"a": 1.5, "b": None}),
        (["null", {"type": "array", "items": ["null", "string"]}], ["a", None, "x" * 200]),
    ],
    ids=str,
)
def test_a_field_that_we_do_not_have_is_passed_over(kind: Any, datum: object) -> None:
    schema = beside(("theirs", kind), ("many", {"type": "array", "items": "string"}))
    value = written({"theirs": datum, "many": ["a", "b"], "event": {"kind": "message.push.sent"}}, schema)
    assert decoded(value, schema).event.kind == "message.push.sent"


def test_a_field_may_be_known_to_us_by_another_name() -> None:
    ours = copy.deepcopy(RAW_EVENT.schema)
    ours["aliases"] = ["com.example.Happening"]
    ours["fields"][0]["type"]["fields"][8]["aliases"] = ["uid", "externalId"]
    theirs = least(("externalId", "string")) | {"name": "com.example.Happening"}
    decode_theirs = decoding._decoder(read_schema(theirs), read_record(ours))
    value = written({"event": {"kind": "k", "externalId": "u-1"}}, theirs)
    found = decode_theirs(value, START)
    assert isinstance(found, Event)
    assert found.event.external_id == "u-1"
    assert found.event == as_event(read_by_fastavro(value, theirs, ours)).event


def test_a_list_of_any_length_is_passed_over_and_one_too_deep_is_refused() -> None:
    node = record("Node", ("item", "int"), ("following", ["null", "Node"]))
    schema = beside(("nodes", node))
    decode_theirs = event_decoder(text_of(schema))
    tail = b"\x00" + b"\x02k"
    assert isinstance(decode_theirs(FRAME + b"\x04\x02" * 90 + b"\x04" + tail, START), Event)
    assert decode_theirs(FRAME + b"\x04\x02" * 100_000 + b"\x04" + tail, START) is RejectReason.TOO_DEEP


def test_a_record_that_is_only_itself_ends() -> None:
    schema = beside(("endless", record("Endless", ("itself", "Endless"), ("again", "Endless"))))
    assert event_decoder(text_of(schema))(FRAME + b"\x02k", START) is RejectReason.TOO_DEEP


HUGE: Final = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
"""The largest long, 2**63 - 1."""
NEGATIVE: Final = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
"""The smallest long, -2**63."""


@pytest.mark.parametrize("claim", [HUGE, NEGATIVE, b"\xff" * 11, b"\x80" * 100_000, b"\x01", b"\x7f", b"\xff\x01"])
@pytest.mark.parametrize(
    "items",
    [
        "null",
        "int",
        "double",
        "string",
        {"type": "map", "values": "null"},
        {"type": "fixed", "name": "F", "size": 2**31 - 1},
        record("R"),
        record("Q", ("a", "null")),
    ],
    ids=str,
)
def test_what_a_body_claims_to_hold_is_not_believed(claim: bytes, items: Any) -> None:
    tail = b"\x00\x02k"
    for kind in ({"type": "array", "items": items}, {"type": "map", "values": items}, "string", ["null", "bytes"]):
        found = event_decoder(text_of(beside(("theirs", kind))))(FRAME + claim + tail, START)
        assert isinstance(found, Event) or found is RejectReason.NOT_AVRO


@pytest.mark.parametrize("claim", [HUGE, NEGATIVE, b"\xff" * 11, b"\x80" * 100_000, b"\x01", b"\x80\x00", b"\xff\x01"])
def test_what_a_text_or_a_map_claims_to_hold_is_not_believed_where_it_is_read(claim: bytes) -> None:
    text, texts = (
        least(),
        record(
            "RawEvent",
            ("message", record("Message", ("title", {"type": "map", "values": "string"}))),
            ("event", record("Event", ("kind", "string"))),
        ),
    )
    assert event_decoder(text_of(text))(FRAME + claim + b"kk", START) is RejectReason.NOT_AVRO
    assert event_decoder(text_of(texts))(FRAME + claim + b"\x02k\x02k\x00\x02k", START) is RejectReason.NOT_AVRO


def test_blocks_may_say_their_size_and_come_one_after_the_other() -> None:
    schema = beside(
        ("theirs", {"type": "map", "values": "string"}),
        ("message", record("Message", ("title", {"type": "map", "values": "string"}))),
    )
    blocks = b"\x01\x08\x02a\x02b" + b"\x02\x02c\x02d" + b"\x00"
    event = decoded(FRAME + blocks + blocks + b"\x02k", schema)
    assert event.message == EventContent(title={"a": "b", "c": "d"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", RejectReason.NOT_AVRO),
        (b"\x02", RejectReason.NOT_AVRO),
        (b"\x02\xff", RejectReason.NOT_AVRO),
        (b"\x02k\x08", RejectReason.NOT_AVRO),
        (b"\x02k\x01", RejectReason.NOT_AVRO),
        (b"\x02k\x00\x00", RejectReason.NOT_AVRO),
        (b"\x02k\x04\x01", RejectReason.NOT_AN_EVENT),
        (b"\x02k\x06" + struct.pack("<d", 1.0)[:7], RejectReason.NOT_AVRO),
    ],
)
def test_what_cannot_be_used_has_a_reason(body: bytes, reason: RejectReason) -> None:
    schema = least(("timestamp", ["null", "long", "boolean", "double"]))
    assert event_decoder(text_of(schema))(FRAME + body, START) is reason


def test_a_kind_that_is_null_is_no_event() -> None:
    schema = least(kind=["null", "string"])
    assert event_decoder(text_of(schema))(FRAME + b"\x00", START) is RejectReason.NOT_AN_EVENT
    assert decoded(FRAME + b"\x02\x02k", schema).event.kind == "k"


@pytest.mark.parametrize("field", ["event.id", "message.name", "user.language", "event.data.page_id"])
def test_a_body_that_was_cut_off_leaves_no_trace(field: str) -> None:
    part, _, name = field.rpartition(".")
    parts: dict[str, Any] = {name: "x" * 30} if part == "event" else {}
    event = raw_event(**parts, message={"url": "u" * 40, "id": "m"})
    decode_ours, value = event_decoder(text_of(RAW_EVENT.schema)), written(event)
    for length in range(START, len(value)):
        assert decode_ours(value[:length], START) is RejectReason.NOT_AVRO
    assert decode_ours(value, START) == decode_ours(value, START) == decode(encode(event))


def test_the_cache_of_parts_is_bounded() -> None:
    cache = PartCache()
    for number in range(2_000):
        piece = b"%d" % number
        cache.store(piece, piece, len(piece), number)
        assert cache.values[piece] == (piece, number, len(piece))
        assert len(cache.values) <= 512
    cache.store(b"long", b"x" * 2_049, 2_049, "long")
    assert b"long" not in cache.values


def test_messages_that_begin_alike_are_not_taken_for_one_another() -> None:
    decode_ours = event_decoder(text_of(RAW_EVENT.schema))
    for url in ("one", "two", "one", "x" * 3_000, "one"):
        event = raw_event(message={"url": url})
        assert decode_ours(written(event), START) == decode(encode(event))


CHAIN: Final = [record(f"R{index}", ("inner", f"R{index - 1}" if index else "string")) for index in range(3_000)]
OURS: Final = RAW_EVENT.schema["namespace"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (least() | {"name": "Order"}, "the schema is named Order, but the record RawEvent is expected"),
        ({"type": "map", "values": "string"}, "the schema is a map, but the record RawEvent is expected"),
        (record("RawEvent"), "event is missing"),
        (record("RawEvent", ("event", record("Event"))), "event.kind is missing"),
        (
            record("RawEvent", ("event", record("Happening", ("kind", "string")))),
            f"event is the record Happening, but the record {OURS}.Event is expected",
        ),
        (least(kind="int"), "event.kind is an int, but a string is expected"),
        (least(kind=["null", "long"]), "event.kind is a long, but a string is expected"),
        (
            least(kind={"type": "enum", "name": "Kind", "symbols": ["A"]}),
            "event.kind is the enumeration Kind, but a string is expected",
        ),
        (
            least(kind={"type": "fixed", "name": "Kind", "size": 4}),
            "event.kind is the fixed Kind, but a string is expected",
        ),
        (
            least(("timestamp", "boolean")),
            "event.timestamp is a boolean, but null or a long or a double or a string is expected",
        ),
        (least(("external_id", ["null", "long"])), "event.external_id is a long, but null or a string is expected"),
        (
            least(("id", {"type": "array", "items": "string"})),
            "event.id is an array, but null or a string is expected",
        ),
        (
            changed("user.tags", {"type": "map", "values": "long"}),
            "each value of user.tags is a long, but a string is expected",
        ),
        (
            changed("event.data", record("Facts", ("page_id", "string"))),
            f"event.data is the record {OURS}.Facts, but null or the record {OURS}.EventData is expected",
        ),
        (
            least(("id", [*({"type": "fixed", "name": f"F{n}", "size": 1} for n in range(64)), "string"])),
            "event.id is a union of more than 64 types",
        ),
        (
            beside(("theirs", CHAIN), ("more", "R2999")),
            "the schema's types are nested too deeply",
        ),
    ],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_a_schema_that_is_no_event_is_put_into_words(schema: Schema, words: str) -> None:
    with pytest.raises(UnusableSchemaError) as caught:
        event_decoder(text_of(schema))
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "schema", [least() | {"name": "O" * 100_000}, [{"type": "fixed", "name": f"F{n}", "size": 1} for n in range(5_000)]]
)
def test_the_reason_is_short_whatever_a_schema_says(schema: Schema) -> None:
    with pytest.raises(UnusableSchemaError) as caught:
        event_decoder(text_of(schema))
    assert str(caught.value).startswith("the schema is ")
    assert len(str(caught.value)) == 501


def test_a_union_of_many_types_is_passed_over() -> None:
    kinds = ["string", *({"type": "fixed", "name": f"F{n}", "size": 1} for n in range(80))]
    schema = beside(("theirs", kinds))
    for index, width in ((b"\x00\x02", 1), (b"\x7e", 1), (b"\x80\x01", 1), (b"\x9e\x01", 1)):
        assert decoded(FRAME + index + b"x" * width + b"\x02k", schema).event.kind == "k"
    refused = event_decoder(text_of(schema))
    assert refused(FRAME + b"\xa2\x01x\x02k", START) is RejectReason.NOT_AVRO
    assert refused(FRAME + b"\x01x\x02k", START) is RejectReason.NOT_AVRO
