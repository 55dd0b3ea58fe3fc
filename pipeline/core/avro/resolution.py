"""Resolve a writer's schema to ours by the rules of the Avro specification (Schema Resolution).

Records and their fields match by unqualified name or by our aliases. Fields that only the writer has are skipped,
fields that only we have take their default. Numbers are promoted; bytes and strings can be read as each other. In our
unions, the first type that equals the writer's counts, else the first that it can be promoted to.

In one respect this is stricter than the specification: a writer's union of which only null can be read makes the schema
unusable, not each single event. A union is accepted if some of its types can be read; an event with one of the others
is rejected.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pipeline.core.avro.schema_types import (
    Array,
    Enumeration,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    UnusableSchemaError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Plain(Enum):
    """How a primitive value is read."""

    NOTHING = auto()
    BOOLEAN = auto()
    WHOLE_NUMBER = auto()
    FLOAT = auto()
    DOUBLE = auto()
    TEXT = auto()


class Texts(msgspec.Struct, frozen=True):
    """A map, with the plan for its values."""

    values: Plan


class Choice(msgspec.Struct, frozen=True):
    """A union of the writer's; None for a type that we cannot use."""

    branches: tuple[Plan | None, ...]


class Step(msgspec.Struct, frozen=True):
    """The next field of the writer's record that we have too: the index of our field and the plan for the value."""

    field: int
    plan: Plan


class Part(msgspec.Struct, frozen=True):
    """A record of ours. A `Type` in ``steps`` is skipped. ``fields``: whether the writer has each of our fields."""

    name: str
    steps: tuple[Step | Type, ...]
    fields: tuple[bool, ...]


Plan: TypeAlias = Plain | Texts | Choice | Part

MOST_BRANCHES: Final = 64
"""The largest union that is read. Its index takes one byte."""

_AS_IT_IS: Final[Mapping[Primitive, Plain]] = {
    Primitive.NULL: Plain.NOTHING,
    Primitive.BOOLEAN: Plain.BOOLEAN,
    Primitive.INT: Plain.WHOLE_NUMBER,
    Primitive.LONG: Plain.WHOLE_NUMBER,
    Primitive.FLOAT: Plain.FLOAT,
    Primitive.DOUBLE: Plain.DOUBLE,
    Primitive.STRING: Plain.TEXT,
    Primitive.BYTES: Plain.TEXT,  # no record of ours has bytes fields; a string can be read from bytes
}

_PROMOTIONS: Final[Mapping[Primitive, frozenset[Primitive]]] = {
    Primitive.INT: frozenset({Primitive.LONG, Primitive.FLOAT, Primitive.DOUBLE}),
    Primitive.LONG: frozenset({Primitive.FLOAT, Primitive.DOUBLE}),
    Primitive.FLOAT: frozenset({Primitive.DOUBLE}),
    Primitive.BYTES: frozenset({Primitive.STRING}),
}
"""The types that each of the writer's types can be promoted to."""


def resolve(writer: Type, reader: Record) -> Part:
    """Return the plan for reading a writer's bytes as one of our records.

    Raises:
        UnusableSchemaError: the schemas cannot be resolved.
    """
    if not isinstance(writer, Record):
        raise UnusableSchemaError(f"the schema is {described(writer)}, but the record {reader.unqualified} is expected")
    if not _same_name(writer, reader):
        raise UnusableSchemaError(f"the schema is named {writer.name}, but the record {reader.unqualified} is expected")
    return _part(writer, reader, "")


def _plan(writer: Type, reader: Type, path: str) -> Plan:
    if isinstance(writer, Union):
        return _choice(writer, reader, path)
    candidates = reader.branches if isinstance(reader, Union) else (reader,)
    for candidate in candidates:
        plan = _as_it_is(writer, candidate, path)
        if plan is not None:
            return plan
    if isinstance(writer, Primitive) and not _PROMOTIONS.get(writer, frozenset()).isdisjoint(candidates):
        return _AS_IT_IS[writer]
    raise UnusableSchemaError(f"{path} is {described(writer)}, but {described(reader)} is expected")


def _as_it_is(writer: Type, reader: Type, path: str) -> Plan | None:
    if isinstance(writer, Record) and isinstance(reader, Record) and _same_name(writer, reader):
        return _part(writer, reader, f"{path}.")
    if isinstance(writer, Map) and isinstance(reader, Map):
        return Texts(_plan(writer.values, reader.values, f"each value of {path}"))
    return _AS_IT_IS[writer] if isinstance(writer, Primitive) and writer is reader else None


def _same_name(writer: Record, reader: Record) -> bool:
    return writer.unqualified == reader.unqualified or writer.name in reader.aliases


def _choice(writer: Union, reader: Type, path: str) -> Choice:
    if len(writer.branches) > MOST_BRANCHES:
        raise UnusableSchemaError(f"{path} is a union of more than {MOST_BRANCHES} types")
    branches: list[Plan | None] = []
    refusals: list[UnusableSchemaError] = []
    for branch in writer.branches:
        try:
            branches.append(_plan(branch, reader, path))
        except UnusableSchemaError as refusal:
            branches.append(None)
            refusals.append(refusal)
    if refusals and all(plan is None or plan is Plain.NOTHING for plan in branches):
        raise refusals[-1]
    return Choice(tuple(branches))


def _part(writer: Record, reader: Record, path: str) -> Part:
    ours = {name: index for index, name in enumerate(_counterparts(writer, reader)) if name is not None}
    found: list[Step | Type] = []
    for field in writer.fields:
        index = ours.get(field.name)
        if index is None:
            found.append(field.type)
        else:
            wanted = reader.fields[index]
            found.append(Step(index, _plan(field.type, wanted.type, f"{path}{wanted.name}")))
    present = frozenset(ours.values())
    for index, wanted in enumerate(reader.fields):
        if index not in present and not wanted.has_default:
            raise UnusableSchemaError(f"{path}{wanted.name} is missing")
    return Part(reader.unqualified, tuple(found), tuple(index in present for index in range(len(reader.fields))))


def _counterparts(writer: Record, reader: Record) -> list[str | None]:
    """Return the writer's name of each of our fields: the same name, else the first alias that it has."""
    theirs = {field.name for field in writer.fields}
    return [next((name for name in (field.name, *field.aliases) if name in theirs), None) for field in reader.fields]


def described(kind: Type) -> str:
    """Return a description of a type."""
    match kind:
        case Primitive():
            return {Primitive.NULL: "null", Primitive.INT: "an int"}.get(kind, f"a {kind.value}")
        case Enumeration() | Fixed() | Record():
            return f"the {type(kind).__name__.lower()} {kind.name}"
        case Array():
            return "an array"
        case Map():
            return "a map"
        case Union():
            return " or ".join(described(branch) for branch in kind.branches)
