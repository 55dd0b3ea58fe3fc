"""Build what a sink reads: JSON, and with a registry Avro too."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.bootstrap.registry import open_registry
from pipeline.core.avro.schema_book import SchemaBook
from pipeline.core.outcomes import RejectReason
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.prerequisites import Prerequisites
from pipeline.kafka.topic_schemas import TopicSchemas
from pipeline.stream.prerequisites import PrerequisitesFirst

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pipeline.bootstrap.destinations.row import RecordFormat
    from pipeline.delivery.examination import ReadAvro
    from pipeline.kafka.prerequisites import Prerequisite
    from pipeline.settings.sections import Settings
    from pipeline.stream.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFormats:
    """How a sink reads records that are Avro; both None without a registry."""

    read_avro: ReadAvro | None
    schemas: TopicSchemas[bytes] | None


@asynccontextmanager
async def sink_formats(settings: Settings, records: RecordFormat) -> AsyncIterator[SinkFormats]:
    """Build the formats of a sink."""
    async with open_registry(settings) as registry:
        if registry is None:
            yield SinkFormats(read_avro=None, schemas=None)
            return
        book = SchemaBook[bytes]()

        def read_avro(value: bytes) -> bytes | DeliveryRejectReason:
            found = book.read(value)
            match found:
                case bytes():
                    return found
                case RejectReason():
                    return DeliveryRejectReason(found.value)
                case None:
                    return DeliveryRejectReason.NOT_AVRO

        schemas = TopicSchemas(book, compile_decoder=_decoder_compiler(records), registry=registry)
        yield SinkFormats(read_avro=read_avro, schemas=schemas)


def guarded(step: Step, schemas: TopicSchemas[bytes] | None, others: Sequence[Prerequisite[Any]] = ()) -> Step:
    """Return a step that gets only batches whose prerequisites are met, and that it can read."""
    kinds = others if schemas is None else (*others, schemas)
    return PrerequisitesFirst(step, Prerequisites(*kinds)) if kinds else step


def _decoder_compiler(records: RecordFormat) -> Callable[[str], Callable[[bytes, int], bytes | RejectReason]]:
    def compile_decoder(schema: str) -> Callable[[bytes, int], bytes | RejectReason]:
        decode = records.compile_decoder(schema)
        return lambda value, start: decode(value, start) or RejectReason.NOT_AVRO

    return compile_decoder
