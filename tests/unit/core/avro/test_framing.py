from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.avro.framing import (
    SINGLE_OBJECT_MARK,
    fingerprint,
    fingerprint_of,
    registry_id,
    registry_prefix,
    schema_prefix,
)
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.outcomes import RejectReason

FIRST_DEAD_LETTER = Path(__file__).parents[4] / "schemas/avro/dead-letter/1.avsc"
ID_7 = b"\x00\x00\x00\x00\x07"
INT_FINGERPRINT = (0x7275D51A3F395C8F).to_bytes(8, "little")
"""The fingerprint of the schema "int" in Avro's own tests."""


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        (b"", None),
        (b"{}", None),
        (b"\xc3", None),
        (b"\xc3\xa9", None),
        (b"\x01\x00\x00\x00\x07x", None),
        (ID_7, ID_7),
        (ID_7 + b"body", ID_7),
        (b"\x00\x00\x00\x00", RejectReason.NOT_AVRO),
        (SINGLE_OBJECT_MARK + b"12345678", SINGLE_OBJECT_MARK + b"12345678"),
        (SINGLE_OBJECT_MARK + b"12345678body", SINGLE_OBJECT_MARK + b"12345678"),
        (SINGLE_OBJECT_MARK + b"1234567", RejectReason.NOT_AVRO),
    ],
)
def test_the_first_bytes_name_the_schema(value: bytes, prefix: bytes | RejectReason | None) -> None:
    assert schema_prefix(value) == prefix


@given(st.integers(0, 2**32 - 1), st.binary())
def test_an_id_is_read_back_from_its_prefix(schema_id: int, body: bytes) -> None:
    prefix = schema_prefix(registry_prefix(schema_id) + body)
    assert isinstance(prefix, bytes)
    assert registry_id(prefix) == schema_id


@given(st.binary())
def test_any_bytes_are_framed_or_not_or_cut_off(value: bytes) -> None:
    prefix = schema_prefix(value)
    assert value.startswith(prefix) if isinstance(prefix, bytes) else prefix in {None, RejectReason.NOT_AVRO}


def test_a_single_object_names_the_fingerprint_of_its_schema_little_endian() -> None:
    assert fingerprint_of('"int"') == INT_FINGERPRINT
    prefix = SINGLE_OBJECT_MARK + INT_FINGERPRINT
    assert (registry_id(prefix), fingerprint(prefix)) == (None, INT_FINGERPRINT)


JAVA_FINGERPRINTS = {
    '{"type":"record","name":"Order","fields":[{"name":"total","type":"int"}]}': "ce978f5f84a1dbd1",
    # A logical type is not part of the canonical form, and a type without further attributes is only its name.
    '{"type":"record","name":"R","namespace":"n","fields":[{"name":"x","type":{"type":"int","logicalType":"date"}},'
    '{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},'
    '{"name":"u","type":{"type":"string","logicalType":"uuid"}},'
    '{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}},'
    '{"name":"self","type":["null","R"]}]}': "1557c98fab36a8f0",
    # A type is defined where it occurs first, and referred to by name afterwards.
    '{"type":"record","name":"a.b.R","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["A"]}},'
    '{"name":"y","type":"E"},{"name":"z","type":["null",{"type":"fixed","name":"c.F","size":4}]},'
    '{"name":"m","type":{"type":"map","values":{"type":"array","items":"c.F"}}}]}': "94ff3fb21762f96f",
    # An empty namespace means none, also inside another.
    '{"type":"record","name":"R","namespace":"n","fields":[{"name":"x","type":{"type":"record","name":"R2",'
    '"namespace":"","fields":[{"name":"q","type":{"type":"string","avro.java.string":"String"}}]}}]}': (
        "bc77907ea2e62551"
    ),
    FIRST_DEAD_LETTER.read_text("utf-8"): "702e350c796e0a3c",
}
"""The results of ``SchemaNormalization.parsingFingerprint("CRC-64-AVRO", …)`` of Avro 1.12.2 for Java."""


@pytest.mark.parametrize("schema", JAVA_FINGERPRINTS)
def test_the_fingerprint_is_the_one_that_java_writes(schema: str) -> None:
    assert fingerprint_of(schema).hex() == JAVA_FINGERPRINTS[schema]


@pytest.mark.parametrize(
    "schema", ["", "no JSON", "null", "5", "{}", '{"type":"record"}', '"nonsense"', '{"type":"array"}', "[" * 5_000]
)
def test_what_is_no_schema_has_no_fingerprint(schema: str) -> None:
    with pytest.raises(UnusableSchemaError, match="not an Avro schema"):
        fingerprint_of(schema)


def test_the_fingerprint_does_not_change_with_what_does_not_change_the_bytes() -> None:
    plain = '{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}'
    documented = '{"doc":"A","name":"A","type":"record","fields":[{"doc":"x","type":{"type":"int"},"name":"x"}]}'
    assert fingerprint_of(plain) == fingerprint_of(documented)
