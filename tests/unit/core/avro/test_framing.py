from __future__ import annotations

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
from pipeline.core.outcomes import RejectReason

ID_7 = b"\x00\x00\x00\x00\x07"
INT_FINGERPRINT = (0x7275D51A3F395C8F).to_bytes(8, "little")
"""Of the schema "int", as Avro's own tests have it."""


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


def test_the_fingerprint_does_not_change_with_what_does_not_change_the_bytes() -> None:
    plain = '{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}'
    told = '{"doc":"told","name":"A","type":"record","fields":[{"doc":"x","type":{"type":"int"},"name":"x"}]}'
    assert fingerprint_of(plain) == fingerprint_of(told)
