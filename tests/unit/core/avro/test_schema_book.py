from __future__ import annotations

import pytest

from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, registry_prefix
from pipeline.core.avro.schema_book import RawFormat, SchemaBook, raw_decoder, raw_words
from pipeline.core.events import Event, Facts, decode
from pipeline.core.outcomes import RejectReason

ONE, TWO = registry_prefix(1), registry_prefix(2)
OBJECT = SINGLE_OBJECT_MARK + b"12345678"


def text(value: bytes, start: int) -> str:
    return value[start:].decode()


def event(value: bytes, start: int) -> Event:
    return Event(Facts(value[start:].decode()))


def test_a_body_is_decoded_by_the_decoder_of_its_schema() -> None:
    book = SchemaBook[str]()
    book.learn(ONE, text)
    book.learn(TWO, lambda value, start: text(value, start).upper())
    book.learn(OBJECT, text)
    assert [book.read(prefix + b"body") for prefix in (ONE, TWO, OBJECT)] == ["body", "BODY", "body"]


def test_messages_of_a_refused_schema_have_the_reason() -> None:
    book = SchemaBook[str]()
    book.refuse(ONE, RejectReason.UNKNOWN_SCHEMA, "the registry does not have it")
    assert book.read(ONE + b"body") is RejectReason.UNKNOWN_SCHEMA


def test_what_is_not_framed_is_nothing_and_what_is_cut_off_is_no_avro() -> None:
    book = SchemaBook[str]()
    assert (book.read(b"{}"), book.read(b""), book.read(b"\x00\x00")) == (None, None, RejectReason.NOT_AVRO)


def test_a_body_of_an_unknown_schema_must_not_be_read() -> None:
    with pytest.raises(KeyError):
        SchemaBook[str]().read(ONE + b"body")


def test_the_unknown_schemas_of_values_are_missing_each_once() -> None:
    book = SchemaBook[str]()
    book.learn(TWO, text)
    values = [None, b"", b"{}", ONE, ONE + b"body", TWO, OBJECT + b"x", b"\x00\x00", b"\xc3\xa9"]
    assert book.missing(values) == {ONE, OBJECT}
    book.learn(ONE, text)
    book.refuse(OBJECT, RejectReason.UNUSABLE_SCHEMA, "it is not Avro")
    assert book.missing(values) == set()
    book.forget(OBJECT)
    assert book.missing(values) == {OBJECT}


JSON = b'{"event":{"kind":"message.push.clicked"}}'


@pytest.mark.parametrize(
    ("raw_format", "of_json", "of_avro", "of_rest"),
    [
        (RawFormat.JSON, "message.push.clicked", RejectReason.NOT_JSON, RejectReason.NOT_JSON),
        (RawFormat.AVRO, RejectReason.NOT_AVRO, "kind", RejectReason.NOT_AVRO),
        (RawFormat.AUTO, "message.push.clicked", "kind", RejectReason.NOT_AVRO),
    ],
)
def test_the_format_says_what_the_raw_topic_may_hold(
    raw_format: RawFormat, of_json: str, of_avro: str, of_rest: RejectReason
) -> None:
    book = SchemaBook[Event]()
    book.learn(ONE, event)
    read = raw_decoder(book, raw_format, decode)
    found = [read(value) for value in (JSON, ONE + b"kind", b"\x00")]
    assert [each.event.kind if isinstance(each, Event) else each for each in found] == [of_json, of_avro, of_rest]


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (ONE + b"body", RejectReason.UNKNOWN_SCHEMA, "schema 1: the registry does not have it"),
        (TWO + b"body", RejectReason.NOT_AVRO, "schema 2"),
        (OBJECT + b"x", RejectReason.UNUSABLE_SCHEMA, f"schema {OBJECT.hex()}: it is not Avro"),
        (b"\x00\x00", RejectReason.NOT_AVRO, "the value ends within the prefix that identifies its schema"),
        (b"{}", RejectReason.NOT_AVRO, None),
        (ONE + b"body", RejectReason.NO_USER, None),
    ],
)
def test_the_words_about_a_rejected_value_name_its_schema_and_why(
    value: bytes, reason: RejectReason, said: str | None
) -> None:
    book = SchemaBook[str]()
    book.refuse(ONE, RejectReason.UNKNOWN_SCHEMA, "the registry does not have it")
    book.learn(TWO, text)
    book.refuse(OBJECT, RejectReason.UNUSABLE_SCHEMA, "it is not Avro")
    assert book.words(value, reason) == said


def test_a_forgotten_schema_is_not_spoken_of_as_refused() -> None:
    book = SchemaBook[str]()
    book.refuse(ONE, RejectReason.UNKNOWN_SCHEMA, "the registry does not have it")
    book.forget(ONE)
    assert book.words(ONE + b"body", RejectReason.UNKNOWN_SCHEMA) == "schema 1"


@pytest.mark.parametrize(
    ("raw_format", "of_json", "of_avro"),
    [
        (RawFormat.JSON, "column 2", None),
        (RawFormat.AVRO, None, "schema 1"),
        (RawFormat.AUTO, "column 2", "schema 1"),
    ],
)
def test_the_words_about_a_raw_body_are_those_of_its_format(
    raw_format: RawFormat, of_json: str | None, of_avro: str | None
) -> None:
    words = raw_words(SchemaBook[Event](), raw_format)
    found = [words(b"{x", RejectReason.NOT_JSON), words(ONE + b"body", RejectReason.NOT_AVRO)]
    for said, wanted in zip(found, (of_json, of_avro), strict=True):
        assert (said is None) == (wanted is None)
        assert wanted is None or wanted in (said or "")
