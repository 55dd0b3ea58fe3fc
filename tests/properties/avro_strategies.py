"""Random writers' schemas for raw events, and random events in them."""

from __future__ import annotations

import copy
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from pipeline.core.avro.contracts import RAW_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from tests.avro_bodies import Schema

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["u-1", "é" * 40, "x" * 63, "x" * 64, "x" * 9_000]
)

_VALUES: Final[dict[str, SearchStrategy[Any]]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.sampled_from([0, 1_767_225_600, 1_767_225_600_120]) | st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, width=32),
    "double": st.floats(allow_nan=False),
    "bytes": texts.map(str.encode),
    "string": texts,
}

_TEXT: Final[list[Any]] = [
    *(["null", "string"], ["string", "null"], "string", "bytes", ["bytes", "null"], ["null"]),
    *(["null", "string", "long"], ["boolean", "string"], {"type": "string", "logicalType": "uuid"}),
]
_TIME: Final = [
    *("int", "long", "float", "double", "string", ["null", "int"], ["double", "string", "null", "long"]),
    *({"type": "long", "logicalType": "timestamp-millis"}, ["null", "boolean", "float"]),
]
_KIND: Final = ["string", "string", "bytes", ["null", "string"], ["int", "string"]]
_TEXTS: Final = [{"type": "map", "values": "string"}, {"type": "map", "values": ["null", "string"]}]
_LOCALIZED: Final = [*_TEXT[:4], *_TEXTS, ["null", _TEXTS[0]], [_TEXTS[0], "string", "null"], ["string", _TEXTS[1]]]
_TAGS: Final = [*_TEXTS, ["null", _TEXTS[0]], [_TEXTS[1], "null"], ["null"]]
_WORDS: Final[dict[str, list[Any]]] = {
    "kind": _KIND,
    "timestamp": _TIME,
    "title": _LOCALIZED,
    "contents": _LOCALIZED,
    "tags": _TAGS,
}


@st.composite
def any_types(draw: st.DrawFn, names: count[int], depth: int = 0) -> Any:
    """Draw the type of a field that we do not have, recursive types included."""
    name, inner = f"Theirs{next(names)}", st.deferred(lambda: any_types(names, depth + 1))
    named = {"name": name}
    plain = st.sampled_from([*_VALUES, {**named, "type": "enum", "symbols": ["A", "B"]}])
    fixed = st.integers(0, 20).map(lambda size: {**named, "type": "fixed", "size": size})
    if depth > 2:
        return draw(plain | fixed)
    following = {"name": "following", "type": ["null", name]}
    nested: list[SearchStrategy[Any]] = [
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "map", "values": values}),
        st.lists(inner, max_size=3).map(lambda kinds: {**named, "type": "record", "fields": _fields(kinds)}),
        inner.map(lambda item: {**named, "type": "record", "fields": [*_fields([item]), following]}),
        inner.filter(lambda found: found != "null" and not isinstance(found, list)).map(lambda found: ["null", found]),
    ]
    return draw(st.one_of(plain, fixed, *nested))


def _fields(kinds: list[Any]) -> list[Schema]:
    return [{"name": f"f{index}", "type": kind} for index, kind in enumerate(kinds)]


@st.composite
def writer_schemas(draw: st.DrawFn) -> Schema:
    """Draw a schema that differs from ours: other order, additional and missing fields, other types, other names."""
    schema = copy.deepcopy(RAW_EVENT.schema)
    schema["namespace"] = draw(st.sampled_from([schema["namespace"], "com.example", ""]))
    _vary(draw, schema, count())
    return schema


def _vary(draw: st.DrawFn, record: Schema, names: count[int]) -> None:
    kept = [field for field in record["fields"] if "default" not in field or draw(st.integers(0, 5))]
    for field in kept:
        _vary_field(draw, field, names)
    more = draw(st.sampled_from([0, 0, 0, 1, 2]))
    kept.extend({"name": f"theirs_{next(names)}", "type": draw(any_types(names))} for _ in range(more))
    record["fields"] = draw(st.permutations(kept)) if draw(st.booleans()) else kept


def _vary_field(draw: st.DrawFn, field: Schema, names: count[int]) -> None:
    if field["name"] in {"event", "data", "message", "user"}:
        part = field["type"][1] if isinstance(field["type"], list) else field["type"]
        _vary(draw, part, names)
        if isinstance(field["type"], list):
            field["type"] = draw(st.sampled_from([["null", part], [part, "null"], part, [part]]))
    elif draw(st.booleans()):
        field["type"] = draw(st.sampled_from(_WORDS.get(field["name"], _TEXT)))
    field.pop("default", None)


@st.composite
def data(draw: st.DrawFn, schema: Any, named: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """Draw a value of a type, in the form that fastavro writes."""
    named = {} if named is None else named
    if isinstance(schema, list):
        # A recursive list must end.
        return draw(data(schema[0] if depth > 8 else draw(st.sampled_from(schema)), named, depth + 1))
    if isinstance(schema, str):
        return draw(_VALUES[schema] if schema in _VALUES else data(named[schema], named, depth + 1))
    if "name" in schema:
        named[schema["name"]] = schema
    inner = st.deferred(lambda: data(schema.get("items") or schema.get("values"), named, depth + 1))
    made: dict[str, Callable[[], SearchStrategy[Any]]] = {
        "enum": lambda: st.sampled_from(schema["symbols"]),
        "fixed": lambda: st.binary(min_size=schema["size"], max_size=schema["size"]),
        "array": lambda: st.lists(inner, max_size=3),
        "map": lambda: st.dictionaries(texts, inner, max_size=3),
    }
    if schema["type"] == "record":
        return {field["name"]: draw(data(field["type"], named, depth + 1)) for field in schema["fields"]}
    return draw(made[schema["type"]]() if schema["type"] in made else _VALUES[schema["type"]])


@st.composite
def written_events(draw: st.DrawFn, *, bytes_for_texts: bool = True) -> tuple[Schema, dict[str, Any]]:
    """Draw a writer's schema, and an event that matches it."""
    schema = draw(writer_schemas())
    if not bytes_for_texts:
        schema = _with_texts(schema)
    return schema, draw(data(schema))


def _with_texts(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_texts(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _with_texts(value) for key, value in schema.items()}
    return "string" if schema == "bytes" else schema
