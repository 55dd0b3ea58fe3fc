"""Parse an Avro schema into types, with errors that an operator can read.

Logical types, docs and unknown properties are ignored, and so are faults that do not affect reading: invalid symbols,
or defaults of the wrong type.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEPEST_SCHEMA: Final = 64
_LARGEST_FIXED: Final = 2**31 - 1
_SHOWN: Final = 60
_LONGEST_REASON: Final = 500
"""A schema may contain thousands of types, with names of a thousand characters."""


class UnusableSchemaError(Exception):
    """A writer's schema cannot be resolved to the expected record. The text gives the reason to an operator."""

    def __init__(self, why: str) -> None:
        super().__init__(why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}…")


class Primitive(StrEnum):
    """The primitive types."""

    NULL = "null"
    BOOLEAN = "boolean"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    BYTES = "bytes"
    STRING = "string"


_PRIMITIVES: Final = {primitive.value: primitive for primitive in Primitive}


class Enumeration(msgspec.Struct, frozen=True):
    """One symbol of a list, written as its index."""

    name: str


class Fixed(msgspec.Struct, frozen=True):
    """A fixed number of bytes."""

    name: str
    size: int


class Array(msgspec.Struct, frozen=True, eq=False):
    """Any number of items."""

    items: Type


class Map(msgspec.Struct, frozen=True, eq=False):
    """Any number of values by string key."""

    values: Type


class Union(msgspec.Struct, frozen=True, eq=False):
    """One of several types."""

    branches: tuple[Type, ...]


class Field(msgspec.Struct, frozen=True, eq=False):
    """One field of a record."""

    name: str
    type: Type
    aliases: tuple[str, ...] = ()
    has_default: bool = False


class Record(msgspec.Struct, eq=False):
    """A sequence of fields. They are set after creation, because types can be recursive."""

    name: str
    aliases: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()

    @property
    def unqualified(self) -> str:
        return self.name.rpartition(".")[2]


Type: TypeAlias = Primitive | Enumeration | Fixed | Array | Map | Union | Record


def parse_schema(text: str) -> Type:
    """Parse a schema.

    Raises:
        UnusableSchemaError: it is not JSON, or not an Avro schema.
    """
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnusableSchemaError(f"the schema is not JSON: {error}") from error
    return read_schema(schema)


def read_schema(schema: Any) -> Type:
    """Parse a schema that was decoded from JSON.

    Raises:
        UnusableSchemaError: it is not an Avro schema.
    """
    return _Reading().type(schema, "", 0)


def read_record(schema: dict[str, Any]) -> Record:
    """Parse one of our contracts."""
    record = read_schema(schema)
    if not isinstance(record, Record):
        raise UnusableSchemaError(f"{_shown(schema)} is not a record")
    return record


class _Reading:
    """The state while one schema is parsed: the types that it has defined so far."""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}

    def type(self, schema: Any, namespace: str, depth: int) -> Type:
        if depth > _DEEPEST_SCHEMA:
            raise UnusableSchemaError(f"the schema is nested deeper than {_DEEPEST_SCHEMA} levels")
        match schema:
            case str():
                return self._by_name(schema, namespace)
            case list():
                return self._union(schema, namespace, depth)
            case {"type": str() as kind}:
                return self._by_kind(kind, schema, namespace, depth)
            case {"type": inner}:
                return self.type(inner, namespace, depth + 1)
            case _:
                raise UnusableSchemaError(f"{_shown(schema)} is not an Avro type")

    def _by_name(self, name: str, namespace: str) -> Type:
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        qualified = _qualified(name, namespace)
        found = self._named.get(qualified) or self._named.get(name)
        if found is None:
            raise UnusableSchemaError(f"the schema does not define the type {_shown(name)}")
        return found

    def _union(self, schemas: Sequence[Any], namespace: str, depth: int) -> Union:
        branches = tuple(self.type(schema, namespace, depth + 1) for schema in schemas)
        if not branches or any(isinstance(branch, Union) for branch in branches):
            raise UnusableSchemaError("the schema has an empty union, or a union directly in a union")
        return Union(branches)

    def _by_kind(self, kind: str, schema: dict[str, Any], namespace: str, depth: int) -> Type:
        match kind:
            case "array":
                return Array(self.type(_part(schema, "items"), namespace, depth + 1))
            case "map":
                return Map(self.type(_part(schema, "values"), namespace, depth + 1))
            case "enum":
                return self._define(Enumeration(_name_of(schema, namespace)))
            case "fixed":
                return self._define(Fixed(_name_of(schema, namespace), _size_of(schema)))
            case "record" | "error":
                return self._record(schema, namespace, depth)
            case _:
                return self._by_name(kind, namespace)

    def _record(self, schema: dict[str, Any], namespace: str, depth: int) -> Record:
        name = _name_of(schema, namespace)
        own_namespace = name.rpartition(".")[0]
        aliases = tuple(_qualified(alias, own_namespace) for alias in _texts(schema.get("aliases")))
        record = self._define(Record(name, aliases))
        fields = _part(schema, "fields")
        if not isinstance(fields, list):
            raise UnusableSchemaError(f"the fields of {_shown(name)} are not a list")
        record.fields = tuple(self._field(field, own_namespace, depth) for field in fields)
        if len({field.name for field in record.fields}) < len(record.fields):
            raise UnusableSchemaError(f"{_shown(name)} has two fields of one name")
        return record

    def _field(self, field: Any, namespace: str, depth: int) -> Field:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str):
            raise UnusableSchemaError(f"{_shown(field)} is not a field with a name")
        kind = self.type(_part(field, "type"), namespace, depth + 1)
        return Field(field["name"], kind, _texts(field.get("aliases")), "default" in field)

    def _define(self, named: _Named) -> _Named:
        if named.name in self._named:
            raise UnusableSchemaError(f"the schema defines the type {_shown(named.name)} twice")
        self._named[named.name] = named
        return named


def _qualified(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _name_of(schema: dict[str, Any], namespace: str) -> str:
    name, own = _part(schema, "name"), schema.get("namespace")
    if not isinstance(name, str) or not name:
        raise UnusableSchemaError(f"{_shown(name)} is not the name of a type")
    return _qualified(name, own if isinstance(own, str) else namespace)


def _size_of(schema: dict[str, Any]) -> int:
    size = _part(schema, "size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_FIXED:
        raise UnusableSchemaError(f"{_shown(size)} is not a number of bytes")
    return size


def _part(schema: dict[str, Any], name: str) -> Any:
    if name not in schema:
        raise UnusableSchemaError(f"{_shown(schema)} has no {name}")
    return schema[name]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


if TYPE_CHECKING:
    from typing import TypeVar

    _Named = TypeVar("_Named", Enumeration, Fixed, Record)
