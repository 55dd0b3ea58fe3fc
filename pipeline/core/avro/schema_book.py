"""What is known of the schemas that messages were written with. It only ever grows, and says the same to all."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from pipeline.core.avro.framing import FIRST_BYTES, REGISTRY_PREFIX_BYTES, schema_prefix
from pipeline.core.outcomes import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.events import Event

Read = TypeVar("Read")


class RawFormat(StrEnum):
    """How the messages of the raw topic are written."""

    JSON = "json"
    AVRO = "avro"
    AUTO = "auto"


class SchemaBook(Generic[Read]):
    """The decoder of each schema, by the prefix that names it in a message.

    `read` gives what the decoder makes of a body, or why nothing can be made of it. It may be asked only for values
    whose schemas are known; `missing` tells which are not.
    """

    def __init__(self) -> None:
        self._decoders: dict[bytes, Callable[[bytes, int], Read | RejectReason]] = {}

    def missing(self, values: Collection[bytes | None]) -> set[bytes]:
        """Return the prefixes of values whose schemas are not known yet."""
        known = self._decoders.keys()
        # A batch has few beginnings, and nearly always all of them are known or are JSON's.
        heads = {value[:REGISTRY_PREFIX_BYTES] for value in values if value} - known
        if not any(head[0] in FIRST_BYTES for head in heads):
            return set()
        prefixes = {schema_prefix(value) for value in values if value}
        return {prefix for prefix in prefixes if isinstance(prefix, bytes)} - known

    def learn(self, prefix: bytes, decoder: Callable[[bytes, int], Read | RejectReason]) -> None:
        """Keep the decoder of a schema."""
        self._decoders[prefix] = decoder

    def refuse(self, prefix: bytes, reason: RejectReason) -> None:
        """Keep why the messages of a schema cannot be used."""
        self._decoders[prefix] = lambda _value, _start: reason

    def forget(self, prefix: bytes) -> None:
        """Know nothing of a schema any more, so that it is looked up anew."""
        self._decoders.pop(prefix, None)

    def read(self, value: bytes) -> Read | RejectReason | None:
        """Decode a framed value; None when the value is not framed as Avro.

        Raises:
            KeyError: its schema is not known.
        """
        decoder = self._decoders.get(value[:REGISTRY_PREFIX_BYTES])
        if decoder is not None:
            return decoder(value, REGISTRY_PREFIX_BYTES)
        prefix = schema_prefix(value)
        return self._decoders[prefix](value, len(prefix)) if isinstance(prefix, bytes) else prefix


def raw_decoder(
    book: SchemaBook[Event], raw_format: RawFormat, decode_json: Callable[[bytes], Event | RejectReason]
) -> Callable[[bytes], Event | RejectReason]:
    """Return what decodes the raw topic's messages: JSON, Avro, or each as it begins."""

    def decode_avro(value: bytes) -> Event | RejectReason:
        return book.read(value) or RejectReason.NOT_AVRO

    def decode_any(value: bytes) -> Event | RejectReason:
        return book.read(value) or decode_json(value)

    return {RawFormat.JSON: decode_json, RawFormat.AVRO: decode_avro, RawFormat.AUTO: decode_any}[raw_format]
