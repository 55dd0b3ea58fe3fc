"""The decoders of the schemas that messages were written with."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pipeline.core.avro.framing import FIRST_BYTES, REGISTRY_PREFIX_BYTES, registry_id, schema_prefix
from pipeline.core.outcomes import RejectReason
from pipeline.core.rejection_words import json_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.events import Event

Read = TypeVar("Read")


_OF_AVRO: Final = frozenset(
    {
        RejectReason.NOT_AVRO,
        RejectReason.UNKNOWN_SCHEMA,
        RejectReason.UNUSABLE_SCHEMA,
        RejectReason.TOO_DEEP,
        RejectReason.NOT_AN_EVENT,
    }
)
"""The reasons that the decoder of a schema may return."""


class RawFormat(StrEnum):
    """The format of the messages in the raw topic."""

    JSON = "json"
    AVRO = "avro"
    AUTO = "auto"


class SchemaBook(Generic[Read]):
    """The decoder of each schema, by the prefix that identifies the schema in a message.

    `read` returns the decoded body, or the reason why it cannot be used. All schemas of the values must be known;
    `missing` returns those that are not.
    """

    def __init__(self) -> None:
        self._decoders: dict[bytes, Callable[[bytes, int], Read | RejectReason]] = {}
        self._why: dict[bytes, str] = {}

    def missing(self, values: Collection[bytes | None]) -> set[bytes]:
        """Return the prefixes of values whose schemas are not known yet."""
        known = self._decoders.keys()
        # A batch has few distinct prefixes, and nearly always all of them are known or JSON.
        heads = {value[:REGISTRY_PREFIX_BYTES] for value in values if value} - known
        if not any(head[0] in FIRST_BYTES for head in heads):
            return set()
        prefixes = {schema_prefix(value) for value in values if value}
        return {prefix for prefix in prefixes if isinstance(prefix, bytes)} - known

    def learn(self, prefix: bytes, decoder: Callable[[bytes, int], Read | RejectReason]) -> None:
        """Store the decoder of a schema."""
        self._decoders[prefix] = decoder

    def refuse(self, prefix: bytes, reason: RejectReason, why: str) -> None:
        """Store the reason why messages of a schema cannot be used; `why` is a clause for an operator."""
        self._decoders[prefix] = lambda _value, _start: reason
        self._why[prefix] = why

    def forget(self, prefix: bytes) -> None:
        """Remove a schema, so that it is looked up again."""
        self._decoders.pop(prefix, None)
        self._why.pop(prefix, None)

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

    def words(self, value: bytes, reason: RejectReason) -> str | None:
        """Return which schema a rejected value has and why it was refused; None when the value is not the cause."""
        prefix = schema_prefix(value) if reason in _OF_AVRO else None
        if not isinstance(prefix, bytes):
            return None if prefix is None else "the value ends within the prefix that identifies its schema"
        number = registry_id(prefix)
        schema = f"schema {prefix.hex() if number is None else number}"
        return f"{schema}: {self._why[prefix]}" if prefix in self._why else schema


def raw_decoder(
    book: SchemaBook[Event], raw_format: RawFormat, decode_json: Callable[[bytes], Event | RejectReason]
) -> Callable[[bytes], Event | RejectReason]:
    """Return the decoder of the raw topic's messages: JSON, Avro, or whichever each message is."""

    def decode_avro(value: bytes) -> Event | RejectReason:
        return book.read(value) or RejectReason.NOT_AVRO

    def decode_any(value: bytes) -> Event | RejectReason:
        return book.read(value) or decode_json(value)

    return {RawFormat.JSON: decode_json, RawFormat.AVRO: decode_avro, RawFormat.AUTO: decode_any}[raw_format]


def raw_words(book: SchemaBook[Event], raw_format: RawFormat) -> Callable[[bytes, RejectReason], str | None]:
    """Return what describes the rejected bodies of the raw topic beyond the reason: those of `raw_decoder`."""

    def words(value: bytes, reason: RejectReason) -> str | None:
        return book.words(value, reason) or json_words(value, reason)

    return {RawFormat.JSON: json_words, RawFormat.AVRO: book.words, RawFormat.AUTO: words}[raw_format]
