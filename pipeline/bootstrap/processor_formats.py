"""Build what reads the raw topic and writes records, as JSON or Avro."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.bootstrap.registry import open_registry, subject
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of, registry_prefix
from pipeline.core.avro.schema_book import RawFormat, SchemaBook, raw_decoder, raw_words
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.events import Event
from pipeline.core.events import decode as decode_json
from pipeline.kafka.prerequisites import PrerequisiteAwayError
from pipeline.kafka.schema_registry import RegistryFaultError
from pipeline.kafka.topic_schemas import TopicSchemas
from pipeline.processor.deciding import Formats
from pipeline.settings.choices import RecordsFormat
from pipeline.settings.files import FileError, read_file, text_of
from pipeline.settings.mistakes import setting_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.core.messages import Message
    from pipeline.core.outcomes import RejectReason
    from pipeline.kafka.schema_registry import SchemaRegistry
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorFormats:
    """What a processor reads and writes; with `schemas` None it reads no Avro."""

    formats: Formats
    schemas: TopicSchemas[Event] | None


@asynccontextmanager
async def processor_formats(settings: Settings, destination: DestinationRow) -> AsyncIterator[ProcessorFormats]:
    """Build the formats of a destination's processor.

    Raises:
        SettingsError: the file with the raw topic's schema cannot be used.
        RegistryFaultError: the schema of records is not registered, or the registry does not answer.
    """
    async with open_registry(settings) as registry:
        formats, schemas = _raw_format(settings, registry)
        if settings.records_format is RecordsFormat.AVRO:
            formats = replace(formats, encode_record=await _record_encoder(settings, destination, registry))
        yield ProcessorFormats(formats=formats, schemas=schemas)


class RawReader:
    """Reads raw messages outside of a worker."""

    def __init__(
        self, decode: Callable[[bytes], Event | RejectReason], schemas: TopicSchemas[Event] | None, topic: str
    ) -> None:
        self.decode = decode
        self._schemas = schemas
        self._topic = topic

    async def learn(self, messages: Sequence[Message]) -> None:
        """Fetch the writers' schemas of messages, before they are decoded.

        Raises:
            RegistryFaultError: the registry does not answer.
        """
        if self._schemas is None:
            return
        batch = _Read(self._topic, messages)
        try:
            while missing := self._schemas.missing(batch):
                await asyncio.gather(*map(self._schemas.obtain, missing))
        except PrerequisiteAwayError as error:
            raise RegistryFaultError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Read:
    """A batch that is never acknowledged (`pipeline.core.messages.MessageBatch`)."""

    topic: str
    messages: Sequence[Message]
    partition: int = 0

    def acknowledge(self) -> None:
        """Do nothing: no consumer group reads it."""


@asynccontextmanager
async def raw_reader(settings: Settings) -> AsyncIterator[RawReader]:
    """Build only what reads the raw topic.

    Raises:
        SettingsError: the file with the raw topic's schema cannot be used, or the extra `registry` is not installed.
    """
    async with open_registry(settings) as registry:
        formats, schemas = _raw_format(settings, registry)
        yield RawReader(formats.decode, schemas, settings.raw_topic)


def _raw_format(settings: Settings, registry: SchemaRegistry | None) -> tuple[Formats, TopicSchemas[Event] | None]:
    """Return how the raw topic is read, and its schemas; None where all messages are JSON."""
    book = SchemaBook[Event]()
    schemas = None
    if settings.raw_format is not RawFormat.JSON:
        schemas = TopicSchemas(book, compile_decoder=event_decoder, registry=registry)
        if (found := raw_schema(settings)) is not None:
            book.learn(*found)
    decode = raw_decoder(book, settings.raw_format, decode_json)
    return Formats(decode=decode, words=raw_words(book, settings.raw_format)), schemas


async def _record_encoder(
    settings: Settings, destination: DestinationRow, registry: SchemaRegistry | None
) -> Callable[[bytes], bytes]:
    if registry is None:
        raise ValueError("records as Avro need a registry; loading the settings checks that")
    records = destination.records
    name = subject(settings, destination.section(settings).records_topic, records.contract)
    registered = await registry.registered(name, records.contract.text)
    if registered is None:
        raise RegistryFaultError(
            f"the schema of records is not registered under {name}: run `onesignal-pipeline schemas register`"
        )
    prefix = registry_prefix(registered.schema_id)
    return lambda record: prefix + records.encode(record)


def raw_schema(settings: Settings) -> tuple[bytes, Callable[[bytes, int], Event | RejectReason]] | None:
    """Return the prefix and the decoder of single objects, by the schema file that the settings name.

    Raises:
        SettingsError: the file cannot be read, or is not a schema of raw events.
    """
    path = settings.raw_schema_file
    if path is None:
        return None
    try:
        text = text_of(read_file(path))
        return SINGLE_OBJECT_MARK + fingerprint_of(text), event_decoder(text)
    except (FileError, UnusableSchemaError) as error:
        reason = f"is `{path}`, which cannot be used as the schema of raw events: {error}."
        raise setting_error("raw_schema_file", reason) from error
