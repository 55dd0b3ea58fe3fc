from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pipeline.bootstrap.processor import prerequisites_of
from pipeline.core.avro.framing import registry_prefix
from pipeline.core.avro.schema_book import SchemaBook
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.kafka.schema_registry import Absence
from pipeline.kafka.topic_schemas import UNKNOWN_FOR_SECONDS, TopicSchemas
from tests.fakes.stream import TOPIC, FakeMessage
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.events import Event
    from pipeline.core.messages import MessageBatch
    from pipeline.kafka.schema_registry import Lookup, SchemaRegistry

UNKNOWN = registry_prefix(7)


class Batch:
    def __init__(self, partition: int) -> None:
        self.topic = TOPIC
        self.partition = partition
        self.messages = [FakeMessage(offset=0, partition=partition, value=UNKNOWN + b"body")]

    def acknowledge(self) -> None:
        raise AssertionError("this is the work's to do")


class SlowState:
    """The state of partition 0 takes its time; that of every other partition is there."""

    words = "state"
    hold = HoldReason.STATE_AWAY

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._complete = False

    def missing_for(self, partition: int) -> set[int]:
        return set() if partition or self._complete else {0}

    def missing(self, batch: MessageBatch) -> set[int]:
        return self.missing_for(batch.partition)

    async def obtain(self, _partition: int) -> None:
        await asyncio.sleep(self._seconds)
        self._complete = True

    async def forget(self, partitions: Collection[int]) -> None: ...


class ForgetfulRegistry:
    """Answers twice at once that the id does not exist, and later requests only after a while."""

    def __init__(self) -> None:
        self._asked = 0

    async def find(self, _prefix: bytes) -> Lookup:
        self._asked += 1
        if self._asked > 2:
            await asyncio.sleep(20)
        return Absence.UNKNOWN


def no_decoder(_schema: str) -> Callable[[bytes, int], Event | RejectReason]:
    raise AssertionError("the id is unknown")


def test_a_batch_that_waits_for_its_memory_can_be_read_when_an_unknown_id_is_doubted_meanwhile() -> None:
    async def play() -> list[int]:
        book, decided = SchemaBook["Event"](), list[int]()
        clock = asyncio.get_running_loop().time
        registry = cast("SchemaRegistry", ForgetfulRegistry())
        schemas = TopicSchemas(book, compile_decoder=no_decoder, registry=registry, clock=clock)
        prerequisites = prerequisites_of(schemas, SlowState(UNKNOWN_FOR_SECONDS + 10))

        async def decide(partition: int) -> None:
            batch = cast("MessageBatch", Batch(partition))
            await prerequisites.obtain((TOPIC, partition), batch)
            assert book.read(UNKNOWN + b"body") is RejectReason.UNKNOWN_SCHEMA
            decided.append(partition)

        first = asyncio.create_task(decide(0))
        await asyncio.sleep(UNKNOWN_FOR_SECONDS + 5)
        await asyncio.gather(first, decide(1))
        return decided

    assert run_virtual(play()) == [1, 0]
