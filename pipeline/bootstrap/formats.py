"""Build what reads and writes Avro out of settings; with JSON alone there is nothing to build."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of, registry_prefix
from pipeline.core.avro.schema_book import RawFormat, SchemaBook, raw_decoder
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.events import Event
from pipeline.core.events import decode as decode_json
from pipeline.core.outcomes import RejectReason
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.kafka.needs import Needs, PrerequisiteAwayError, Prerequisites
from pipeline.kafka.schema_registry import RegistryFaultError, RegistryOptions, SchemaRegistry
from pipeline.kafka.topic_schemas import TopicSchemas
from pipeline.processor.deciding import Formats
from pipeline.settings.choices import RecordsFormat, SubjectNames
from pipeline.settings.files import FileError, read_file, text_of
from pipeline.settings.mistakes import setting_error
from pipeline.stream.prerequisites import PrerequisitesFirst

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pipeline.core.avro.contracts import Contract
    from pipeline.core.messages import Message
    from pipeline.delivery.examination import ReadAvro
    from pipeline.settings.sections import Settings
    from pipeline.stream.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorFormats:
    """What a processor reads and writes; ``schemas`` None reads no Avro."""

    formats: Formats
    schemas: TopicSchemas[Event] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFormats:
    """How a sink reads records that are Avro; both None where no registry is known."""

    read_avro: ReadAvro | None
    schemas: TopicSchemas[bytes] | None


@asynccontextmanager
async def processor_formats(settings: Settings) -> AsyncIterator[ProcessorFormats]:
    """Build the formats of a processor.

    Raises:
        SettingsError: the file with the raw topic's schema cannot be used.
        RegistryFaultError: the schema of records is not registered, or the registry does not answer.
    """
    async with open_registry(settings) as registry:
        decode, schemas = _raw_format(settings, registry)
        encode = await _record_encoder(settings, registry) if settings.records_format is RecordsFormat.AVRO else None
        yield ProcessorFormats(formats=Formats(decode=decode, encode_record=encode), schemas=schemas)


class RawReader:
    """Reads raw messages outside of a worker."""

    def __init__(
        self, decode: Callable[[bytes], Event | RejectReason], schemas: TopicSchemas[Event] | None, topic: str
    ) -> None:
        """Take what decodes, what is known of schemas, and what the topic is called."""
        self.decode = decode
        self._schemas = schemas
        self._topic = topic

    async def learn(self, messages: Sequence[Message]) -> None:
        """Look up the schemas that messages are written with, before they are decoded.

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
    """Messages that were read and that nobody acknowledges (`pipeline.core.messages.MessageBatch`)."""

    topic: str
    messages: Sequence[Message]
    partition: int = 0

    def acknowledge(self) -> None:
        """Do nothing: no group reads them."""


@asynccontextmanager
async def raw_reader(settings: Settings) -> AsyncIterator[RawReader]:
    """Build what reads the raw topic, without what writes records.

    Raises:
        SettingsError: the file with the raw topic's schema cannot be used, or the extra `registry` is not installed.
    """
    async with open_registry(settings) as registry:
        yield RawReader(*_raw_format(settings, registry), settings.raw_topic)


@asynccontextmanager
async def sink_formats(settings: Settings) -> AsyncIterator[SinkFormats]:
    """Build the formats of a sink."""
    async with open_registry(settings) as registry:
        if registry is None:
            yield SinkFormats(read_avro=None, schemas=None)
            return
        book = SchemaBook[bytes]()

        def read_avro(value: bytes) -> bytes | SegmentRejectReason:
            found = book.read(value)
            match found:
                case bytes():
                    return found
                case RejectReason():
                    return SegmentRejectReason(found.value)
                case None:
                    return SegmentRejectReason.NOT_AVRO

        schemas = TopicSchemas(book, compile_decoder=_record_decoder, registry=registry)
        yield SinkFormats(read_avro=read_avro, schemas=schemas)


def guarded(work: Step, schemas: TopicSchemas[bytes] | None, others: Sequence[Prerequisites[Any]] = ()) -> Step:
    """Let a sink see only what it can read, and only when all else that it needs is there."""
    kinds = others if schemas is None else (*others, schemas)
    return PrerequisitesFirst(work, Needs(*kinds)) if kinds else work


@asynccontextmanager
async def open_registry(settings: Settings) -> AsyncIterator[SchemaRegistry | None]:
    """Open the registry that the settings name; None where they name none.

    Raises:
        SettingsError: the extra `registry` is not installed.
        RegistryFaultError: a certificate file holds something else.
    """
    if settings.schema_registry_url is None:
        yield None
        return
    password = settings.schema_registry_password
    registry = SchemaRegistry(
        RegistryOptions(
            url=settings.schema_registry_url,
            username=settings.schema_registry_username,
            password=None if password is None else password.get_secret_value(),
            ca_file=settings.schema_registry_ca_file,
            raw_subject=subject(settings, settings.raw_topic, RAW_EVENT),
        )
    )
    try:
        yield registry
    finally:
        await registry.close()


def subject(settings: Settings, topic: str, contract: Contract) -> str:
    """Name the subject of a topic's values, by Confluent's strategies."""
    names = {
        SubjectNames.TOPIC: f"{topic}-value",
        SubjectNames.RECORD: contract.full_name,
        SubjectNames.TOPIC_RECORD: f"{topic}-{contract.full_name}",
    }
    return names[settings.schema_registry_subject_names]


def _record_decoder(schema: str) -> Callable[[bytes, int], bytes | RejectReason]:
    decode = record_decoder(schema)
    return lambda value, start: decode(value, start) or RejectReason.NOT_AVRO


def _raw_format(
    settings: Settings, registry: SchemaRegistry | None
) -> tuple[Callable[[bytes], Event | RejectReason], TopicSchemas[Event] | None]:
    """Return what decodes the raw topic, and what learns its schemas; None where all of it is JSON."""
    book = SchemaBook[Event]()
    schemas = None
    if settings.raw_format is not RawFormat.JSON:
        schemas = TopicSchemas(book, compile_decoder=event_decoder, registry=registry)
        if (found := raw_schema(settings)) is not None:
            book.learn(*found)
    return raw_decoder(book, settings.raw_format, decode_json), schemas


async def _record_encoder(settings: Settings, registry: SchemaRegistry | None) -> Callable[[bytes], bytes]:
    if registry is None:
        raise ValueError("records as Avro need a registry, and the settings are loaded with that check")
    name = subject(settings, settings.records_topic, SEGMENT_RECORD)
    registered = await registry.registered(name, SEGMENT_RECORD.text)
    if registered is None:
        raise RegistryFaultError(
            f"the schema of records is not registered under {name}: run `onesignal-pipeline schemas register`"
        )
    prefix = registry_prefix(registered.schema_id)
    return lambda record: prefix + encode_record(record)


def raw_schema(settings: Settings) -> tuple[bytes, Callable[[bytes, int], Event | RejectReason]] | None:
    """Read the schema of single objects that the settings name: their prefix, and their decoder.

    Raises:
        SettingsError: it cannot be read, or is no schema of raw events.
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
