from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.avro.schema_types import (
    Array,
    Enumeration,
    Fixed,
    Map,
    Primitive,
    Record,
    Union,
    UnusableSchemaError,
    parse_schema,
    read_record,
)


def parsed(schema: Any) -> Any:
    return parse_schema(json.dumps(schema))


def record(name: str, *types: Any, **more: Any) -> dict[str, Any]:
    fields = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields, **more}


@pytest.mark.parametrize("name", [primitive.value for primitive in Primitive])
def test_a_primitive_may_be_written_in_three_ways(name: str) -> None:
    assert parsed(name) is parsed({"type": name}) is parsed({"type": {"type": name}}) is Primitive(name)


def test_types_of_types_are_read() -> None:
    array, by_text = parsed({"type": "array", "items": "int"}), parsed({"type": "map", "values": ["null", "long"]})
    assert isinstance(array, Array)
    assert array.items is Primitive.INT
    assert isinstance(by_text, Map)
    assert isinstance(by_text.values, Union)
    assert by_text.values.branches == (Primitive.NULL, Primitive.LONG)


def test_a_name_takes_the_namespace_around_it() -> None:
    enum = {"type": "enum", "name": "Plan", "symbols": []}
    fixed = {"type": "fixed", "name": "org.other.Digest", "size": 16}
    inner = record("Inner", "com.example.Plan", namespace="com.inner")
    found = parsed(record("Outer", enum, fixed, inner, "Plan", "Outer", namespace="com.example"))
    assert isinstance(found, Record)
    plan, digest, within, again, itself = (field.type for field in found.fields)
    assert (found.name, found.unqualified) == ("com.example.Outer", "Outer")
    assert plan == again == Enumeration("com.example.Plan")
    assert digest == Fixed("org.other.Digest", 16)
    assert itself is found
    assert isinstance(within, Record)
    assert (within.name, within.fields[0].type) == ("com.inner.Inner", plan)


def test_aliases_and_defaults_are_read() -> None:
    schema = record("com.example.R", aliases=["Old", "org.other.Older", 5])
    schema["fields"] = [{"name": "a", "type": "int", "default": None, "aliases": ["b"]}, {"name": "c", "type": "int"}]
    found = parsed(schema)
    assert found.aliases == ("com.example.Old", "org.other.Older")
    assert [(field.name, field.aliases, field.has_default) for field in found.fields] == [
        ("a", ("b",), True),
        ("c", (), False),
    ]


def nested(levels: int) -> Any:
    return {"type": "array", "items": nested(levels - 1)} if levels else "int"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (5, "5 is not an Avro type"),
        (None, "null is not an Avro type"),
        ({"name": "R"}, '{"name":"R"} is not an Avro type'),
        ("text", 'the schema does not define the type "text"'),
        ({"type": "com.example.R"}, 'the schema does not define the type "com.example.R"'),
        ([], "the schema has an empty union, or a union directly in a union"),
        (["null", ["string"]], "the schema has an empty union, or a union directly in a union"),
        ({"type": "array"}, '{"type":"array"} has no items'),
        ({"type": "map"}, '{"type":"map"} has no values'),
        ({"type": "enum", "symbols": []}, '{"type":"enum","symbols":[]} has no name'),
        ({"type": "enum", "name": ""}, '"" is not the name of a type'),
        ({"type": "enum", "name": 5}, "5 is not the name of a type"),
        ({"type": "fixed", "name": "F"}, '{"type":"fixed","name":"F"} has no size'),
        ({"type": "fixed", "name": "F", "size": -1}, "-1 is not a number of bytes"),
        ({"type": "fixed", "name": "F", "size": True}, "true is not a number of bytes"),
        ({"type": "fixed", "name": "F", "size": 2**31}, "2147483648 is not a number of bytes"),
        ({"type": "record", "name": "R"}, '{"type":"record","name":"R"} has no fields'),
        ({"type": "record", "name": "R", "fields": {}}, 'the fields of "R" are not a list'),
        ({"type": "record", "name": "R", "fields": ["a"]}, '"a" is not a field with a name'),
        ({"type": "record", "name": "R", "fields": [{"type": "int"}]}, '{"type":"int"} is not a field with a name'),
        ({"type": "record", "name": "R", "fields": [{"name": "a"}]}, '{"name":"a"} has no type'),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2}, '"R" has two fields of one name'),  # noqa: E501
        (record("R", record("R")), 'the schema defines the type "R" twice'),
        ([{"type": "x" * 100}], f'the schema does not define the type "{"x" * 59}…'),
        (nested(100), "the schema is nested deeper than 64 levels"),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_put_into_words(schema: Any, words: str) -> None:
    with pytest.raises(UnusableSchemaError) as caught:
        parsed(schema)
    assert str(caught.value) == words


@pytest.mark.parametrize("text", ["", "record", "{", "[" * 100_000, '"\\ud800"'])
def test_what_is_not_json_is_told(text: str) -> None:
    with pytest.raises(UnusableSchemaError, match=r"^the schema is not JSON: "):
        parse_schema(text)


def test_a_contract_is_a_record() -> None:
    with pytest.raises(UnusableSchemaError, match="is not a record"):
        read_record({"type": "int"})
