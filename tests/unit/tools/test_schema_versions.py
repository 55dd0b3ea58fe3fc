from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.visible import visible
from pipeline.kafka.schema_registry import Absence, Version
from pipeline.tools.schema_versions import LARGEST_CHECKED, VersionReport, judge

if TYPE_CHECKING:
    from pipeline.kafka.schema_registry import Lookup

LONGEST = 501  # 500 characters and the mark that there were more


def schema_with(*fields: Any, kind: Any = "string", **changes: Any) -> str:
    """Return a producer's schema with these fields in its event."""
    event = {"type": "record", "name": "Event", "fields": [{"name": "kind", "type": kind}, *fields]}
    return json.dumps({"type": "record", "name": "RawEvent", "fields": [{"name": "event", "type": event}], **changes})


def field(kind: Any, name: str = "id") -> dict[str, Any]:
    return {"name": name, "type": kind}


def nested(levels: int) -> str:
    arrays = '{"type":"array","items":' * levels + '"int"' + "}" * levels
    return schema_with(field("@", "more")).replace('"@"', arrays)


def version(schema: Lookup, number: int = 1, *, deleted: bool = False) -> Version:
    return Version(number=number, deleted=deleted, schema=schema)


@pytest.mark.parametrize(
    "schema",
    [
        RAW_EVENT.text,
        schema_with(field("int", "one_more")),
        schema_with(field("bytes"), field("float", "timestamp"), namespace="com.example.shop"),
        schema_with(field(["null", "RawEvent"], "of_itself")),
        schema_with(field({"type": "long", "logicalType": "of-nobody"}, "timestamp")),
    ],
)
def test_what_both_accept_can_be_read(schema: str) -> None:
    verdict = judge(schema)
    assert (verdict.decoder, verdict.checker) == (None, None)
    assert VersionReport().add(version(schema)) is None


def test_what_neither_accepts_has_the_reason_of_each() -> None:
    assert VersionReport().add(version(schema_with(kind="int"), 3)) == (
        "version 3 cannot be read. Decoder: event.kind is an int, but a string is expected. Avro's checker: type "
        "mismatch (reader type: string not compatible with writer type: int) at /fields/0/type/fields/0/type."
    )


def test_reasons_of_the_checker_come_in_one_order() -> None:
    assert judge('{"type":"record","name":"Order","fields":[]}').checker == (
        "name mismatch, reader field missing default value (event, expected: Order) at /fields/0, /name"
    )


def test_a_union_with_a_type_that_cannot_be_read_has_both_answers() -> None:
    assert VersionReport().add(version(schema_with(field(["null", "string", "int"])), 2)) == (
        "version 2: decoder and checker disagree. Decoder: it can be read. Avro's checker: missing union branch "
        "(reader union lacking writer type: INT) at /fields/0/type/fields/1/type/2."
    )


def test_a_union_too_long_for_the_decoder_alone_is_a_disagreement() -> None:
    details = [{"type": "record", "name": f"n{number}.EventData", "fields": []} for number in range(65)]
    verdict = judge(schema_with(field(details, "data")))
    assert (verdict.decoder, verdict.checker) == ("event.data is a union of more than 64 types", None)


def test_a_schema_that_is_too_deep_for_the_decoder_alone_is_a_disagreement() -> None:
    told = VersionReport().add(version(nested(70)))
    assert told == (
        "version 1: decoder and checker disagree. Decoder: the schema is nested deeper than 64 levels. "
        "Avro's checker: it can be read."
    )


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (schema_with(field({"type": "Event"}, "wrapped")), "Undefined type: Event"),
        (schema_with(type="error"), "reader type: record not compatible with writer type: error"),
        (schema_with(field({"type": "long", "logicalType": {"a": 1}}, "timestamp")), "unhashable"),
        (schema_with(namespace=5), "The namespace property must be a string."),
    ],
)
def test_what_only_the_checker_refuses_has_both_answers(schema: str, told: str) -> None:
    verdict = judge(schema)
    assert verdict.decoder is None
    assert told in (verdict.checker or "")


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "{" * 5_000,
        "5",
        "null",
        nested(5_000),
        nested(100_000),
        schema_with(field("Nobody" * 1_000)),
        schema_with(name="O" * 100_000),
        schema_with(field([{"type": "fixed", "name": f"f{number}", "size": 1} for number in range(300)])),
        '{"type":"fixed","name":"a","size":' + "9" * 5_000 + "}",
        '{"type":"record","name":"\\ud800\\u001b[31m","fields":[]}',
        '{"type":"record","name":"\ud800","fields":[]}',
        '{"type":{"type":"record","name":"RawEvent","fields":[]}}',
        '{"type":"record","name":"RawEvent","fields":{"event":"string"}}',
    ],
)
def test_any_text_of_a_registry_gets_two_short_answers(schema: str) -> None:
    verdict = judge(schema)
    for reason in (verdict.decoder, verdict.checker):
        assert reason is not None
        assert 0 < len(reason) <= LONGEST
    told = VersionReport().add(version(schema))
    assert told is not None
    assert visible(told).isprintable()


def test_a_schema_that_would_take_the_checker_long_is_left_to_the_decoder() -> None:
    schema = schema_with(doc="a" * LARGEST_CHECKED)
    verdict = judge(schema)
    assert verdict.decoder is None
    assert verdict.checker == "not run, because the schema has more than 1,048,576 characters"


@pytest.mark.parametrize(
    ("absence", "told"),
    [
        (Absence.NOT_AVRO, "version 4 cannot be read: it is not an Avro schema"),
        (
            Absence.UNKNOWN,
            "version 4 cannot be read: the registry no longer has it, or lacks a schema that it refers to",
        ),
    ],
)
def test_a_version_without_an_avro_schema_cannot_be_read(absence: Absence, told: str) -> None:
    report = VersionReport()
    assert report.add(version(absence, 4)) == told
    assert report.unreadable == 1


def test_a_report_counts_what_can_be_read() -> None:
    report = VersionReport()
    assert str(report) == "no version is registered"
    report.add(version(RAW_EVENT.text))
    report.add(version(schema_with(kind="int"), 2))
    report.add(version(schema_with(field(["null", "string", "int"])), 3))
    assert (report.readable, report.unreadable) == (1, 2)
    assert str(report) == "the processor can read 1 of 3 versions"


def test_soft_deleted_versions_are_judged_and_not_counted() -> None:
    report = VersionReport()
    assert report.add(version(RAW_EVENT.text, 1, deleted=True)) is None
    told = report.add(version(schema_with(kind="int"), 2, deleted=True))
    assert (told or "").startswith(
        "version 2 (soft-deleted, not counted) cannot be read. Decoder: event.kind is an int"
    )
    assert (report.readable, report.unreadable) == (0, 0)
    assert str(report) == "no version is registered; 2 soft-deleted, not counted"
