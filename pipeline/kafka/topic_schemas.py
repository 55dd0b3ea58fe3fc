"""The schemas of one topic: decoders that are built on demand, from a registry or a file."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import structlog

from pipeline.core.avro.framing import registry_id
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.kafka.prerequisites import PrerequisiteAwayError
from pipeline.kafka.schema_registry import Absence, RegistryFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.avro.schema_book import SchemaBook
    from pipeline.core.messages import MessageBatch
    from pipeline.kafka.schema_registry import Lookup, SchemaRegistry

logger = structlog.get_logger(__name__)

SECOND_LOOK_SECONDS: Final = 2.0
"""In a registry with several nodes, some nodes may not know yet what was registered a moment ago."""
NEW_IDS: Final = 1_000
"""A registry numbers schemas consecutively, so an id that is further ahead than this is not a new schema."""
UNKNOWN_FOR_SECONDS: Final = 60.0
"""After this long, an id that the registry did not know is looked up again."""

Read = TypeVar("Read")


@dataclass(slots=True)
class _LookUp:
    """A look-up in progress, and how many partitions wait for it."""

    task: asyncio.Task[None]
    waiting: int = 0


class TopicSchemas(Generic[Read]):
    """What is known of a topic's schemas (`pipeline.kafka.prerequisites.Prerequisite`)."""

    words = "schemas"
    hold = HoldReason.SCHEMA_REGISTRY_AWAY

    def __init__(
        self,
        book: SchemaBook[Read],
        *,
        compile_decoder: Callable[[str], Callable[[bytes, int], Read | RejectReason]],
        registry: SchemaRegistry | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with what the book knows.

        Args:
            book: Keeps the decoders.
            compile_decoder: Returns the decoder of a schema's text.
            registry: Where schemas are looked up; None if all schemas are in the book.
            clock: A monotonic clock in seconds.
        """
        self._book = book
        self._compile = compile_decoder
        self._registry = registry
        self._clock = clock
        self._unknown: dict[bytes, float] = {}
        self._in_progress: dict[bytes, _LookUp] = {}
        self._highest: int | None = None

    def missing_for(self, partition: int) -> set[bytes]:
        """Return nothing: only the batches of a partition show which schemas it needs."""
        del partition
        return set()

    def missing(self, batch: MessageBatch) -> set[bytes]:
        """Return the schemas that must be looked up before a batch can be read."""
        if self._unknown:
            self._forget_expired()
        return self._book.missing([message.value for message in batch.messages])

    async def obtain(self, schema: bytes) -> None:
        """Look up a schema; concurrent calls for the same schema share one look-up.

        At the start, all partitions need the same schema at once. The look-up is cancelled with its last caller.

        Raises:
            PrerequisiteAwayError: the registry does not answer.
        """
        look_up = self._in_progress.get(schema)
        if look_up is None:
            look_up = self._in_progress[schema] = _LookUp(asyncio.create_task(self._answer(schema)))
        look_up.waiting += 1
        try:
            await asyncio.shield(look_up.task)
        finally:
            look_up.waiting -= 1
            if not look_up.waiting:
                del self._in_progress[schema]
                look_up.task.cancel()

    async def _answer(self, schema: bytes) -> None:
        match await self._found(schema):
            case Absence.UNKNOWN:
                self._unknown[schema] = self._clock() + UNKNOWN_FOR_SECONDS
                self._refuse(schema, RejectReason.UNKNOWN_SCHEMA, Absence.UNKNOWN.value)
            case Absence.NOT_AVRO:
                self._refuse(schema, RejectReason.UNUSABLE_SCHEMA, Absence.NOT_AVRO.value)
            case str() as text:
                self._highest = max(self._highest or 0, registry_id(schema) or 0)
                self.learn(schema, text)

    async def forget(self, partitions: Collection[int]) -> None:
        """Do nothing: a schema is the same for all partitions."""

    def learn(self, schema: bytes, text: str) -> None:
        """Add a schema to the book, or refuse it where no decoder can be built."""
        try:
            self._book.learn(schema, self._compile(text))
        except UnusableSchemaError as error:
            self._refuse(schema, RejectReason.UNUSABLE_SCHEMA, str(error))
        else:
            logger.info("schema learnt", schema=schema.hex())

    async def _found(self, schema: bytes) -> Lookup:
        if self._registry is None:
            return Absence.UNKNOWN
        try:
            found = await self._registry.find(schema)
            if found is Absence.UNKNOWN and self._may_be_new(schema):
                await asyncio.sleep(SECOND_LOOK_SECONDS)
                found = await self._registry.find(schema)
        except RegistryFaultError as error:
            raise PrerequisiteAwayError(str(error)) from error
        return found

    def _may_be_new(self, schema: bytes) -> bool:
        """Return whether a schema may have been registered a moment ago; garbage names any number of ids."""
        number = registry_id(schema)
        return number is None or self._highest is None or number <= self._highest + NEW_IDS

    def _refuse(self, schema: bytes, reason: RejectReason, why: str) -> None:
        self._book.refuse(schema, reason, why)
        logger.error("messages of this schema cannot be read, they become dead letters", schema=schema.hex(), why=why)

    def _forget_expired(self) -> None:
        now = self._clock()
        for schema in [schema for schema, until in self._unknown.items() if until <= now]:
            del self._unknown[schema]
            self._book.forget(schema)
