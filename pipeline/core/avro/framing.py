"""How a message identifies the schema that it was written with.

- Confluent's wire format: a zero byte, the schema's id in the registry in four bytes, then the body.
- Avro's single-object encoding: the bytes C3 01, the schema's CRC-64-AVRO fingerprint in eight bytes (little endian),
  then the body.

A message with any other beginning is not Avro. JSON cannot begin with either: a JSON text is UTF-8 without control
characters before its first token, and C3 01 is not UTF-8.
"""

from __future__ import annotations

from typing import Final

import orjson
from fastavro import schema as fastavro_schema

from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.outcomes import RejectReason

_FINGERPRINT: Final = "CRC-64-AVRO"
REGISTRY_MAGIC: Final = 0
REGISTRY_PREFIX_BYTES: Final = 5
SINGLE_OBJECT_MARK: Final = b"\xc3\x01"
SINGLE_OBJECT_PREFIX_BYTES: Final = 10
_SINGLE_OBJECT_FIRST: Final = SINGLE_OBJECT_MARK[0]
FIRST_BYTES: Final = frozenset({REGISTRY_MAGIC, _SINGLE_OBJECT_FIRST})


def schema_prefix(value: bytes) -> bytes | RejectReason | None:
    """Return the bytes before the body that identify its schema; None when the value is not framed as Avro.

    A value that is too short for its frame is `NOT_AVRO`.
    """
    if not value:
        return None
    if value[0] == REGISTRY_MAGIC:
        length = REGISTRY_PREFIX_BYTES
    elif value[0] == _SINGLE_OBJECT_FIRST and value[1:2] == SINGLE_OBJECT_MARK[1:]:
        length = SINGLE_OBJECT_PREFIX_BYTES
    else:
        return None
    return value[:length] if len(value) >= length else RejectReason.NOT_AVRO


def registry_prefix(schema_id: int) -> bytes:
    """Return the prefix of a body that was written with a schema of the registry."""
    return bytes((REGISTRY_MAGIC,)) + schema_id.to_bytes(4, "big")


def registry_id(prefix: bytes) -> int | None:
    """Return the registry's schema id in a prefix; None when the prefix contains a fingerprint."""
    return int.from_bytes(prefix[1:], "big") if prefix[0] == REGISTRY_MAGIC else None


def fingerprint(prefix: bytes) -> bytes:
    """Return the fingerprint in the prefix of single-object encoding."""
    return prefix[len(SINGLE_OBJECT_MARK) :]


def fingerprint_of(schema: str) -> bytes:
    """Return the CRC-64-AVRO fingerprint of a schema, little endian, as Avro for Java writes it.

    fastavro computes it. The avro package keeps ``{"type": "long"}`` in place of a logical type and repeats the
    definition of a type that is used again, so its fingerprint of such schemas differs.

    Raises:
        UnusableSchemaError: it is not an Avro schema.
    """
    try:
        canonical = fastavro_schema.to_parsing_canonical_form(orjson.loads(schema))
    except Exception as error:
        raise UnusableSchemaError(f"it is not an Avro schema ({type(error).__name__}: {error})") from error
    return bytes.fromhex(fastavro_schema.fingerprint(canonical, _FINGERPRINT))
