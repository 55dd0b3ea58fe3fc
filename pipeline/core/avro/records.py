"""Write the records of a destination as Avro, and read them back as the same JSON bytes that the processor built.

Readers are compiled as for events (`pipeline.core.avro.source`); fastavro writes.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import fastavro
import msgspec

from pipeline.core.avro.reading import TooDeepError
from pipeline.core.avro.schema_types import parse_schema, read_record
from pipeline.core.avro.source import reader_of
from pipeline.core.avro.vocabulary import MISFITS, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.core.avro.contracts import Contract

    DecodeRecord: TypeAlias = Callable[[bytes, int], bytes | None]

_REFUSALS: Final = (((*MISFITS, UnreadableError, TooDeepError), None),)

_encode: Final = msgspec.json.Encoder().encode


def record_encoder(contract: Contract, fields_of: Callable[[bytes], Any]) -> Callable[[bytes], bytes]:
    """Return a function that returns the Avro body of a record, without framing.

    `fields_of` returns the fields of a record in JSON under the names of the contract.
    """
    schema = fastavro.parse_schema(contract.schema)

    def encode_record(record_json: bytes) -> bytes:
        body = BytesIO()
        fastavro.schemaless_writer(body, schema, fields_of(record_json), strict_allow_default=True)
        return body.getvalue()

    return encode_record


def record_decoder_factory(
    contract: Contract, structs: Mapping[str, type[msgspec.Struct]]
) -> Callable[[str], DecodeRecord]:
    """Return a function that compiles decoders of records. The structs of the contract's records are given by name.

    It takes the schema that records were written with. The decoder's arguments are the whole value of a message and the
    offset of the body. It returns the record as compact JSON; None when the bytes do not match the schema.
    `UnusableSchemaError` is raised if the schema cannot be resolved to a record; its text gives the reason.
    """
    reader = read_record(contract.schema)

    def record_decoder(writer_schema: str) -> DecodeRecord:
        read = reader_of(parse_schema(writer_schema), reader, structs, _REFUSALS)

        def decode(value: bytes, start: int) -> bytes | None:
            record = read(value, start)
            return None if record is None else _encode(record)

        return decode

    return record_decoder
