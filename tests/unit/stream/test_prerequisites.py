from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.prerequisites import LAST_RETRY_SECONDS, PrerequisiteAwayError, Prerequisites
from pipeline.stream.prerequisites import PrerequisitesFirst
from tests.fakes.stream import TOPIC, FakeMessage, FakeStep
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence

    from pipeline.core.messages import Message, MessageBatch


class Batch:
    def __init__(self, *values: bytes, partition: int = 0) -> None:
        self.topic = TOPIC
        self.partition = partition
        self.messages: Sequence[Message] = [
            FakeMessage(offset=offset, partition=partition, value=value) for offset, value in enumerate(values)
        ]

    def acknowledge(self) -> None:
        raise AssertionError("this is the work's to do")


class FakeSchemas:
    """Knows what was looked up. The value of a message is its schema's name; ``all_need`` is what any batch needs."""

    words = "schemas"
    hold = HoldReason.SCHEMA_REGISTRY_AWAY

    def __init__(self) -> None:
        self.all_need: set[bytes] = set()
        self.forgotten: list[int] = []
        self.known: set[bytes] = set()
        self.asked: list[tuple[float, bytes]] = []
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    def missing_for(self, partition: int) -> set[bytes]:
        del partition
        return self.all_need - self.known

    def missing(self, batch: MessageBatch) -> set[bytes]:
        return (self.all_need | {message.value for message in batch.messages if message.value}) - self.known

    async def forget(self, partitions: Collection[int]) -> None:
        self.forgotten += partitions

    async def obtain(self, schema: bytes) -> None:
        self.asked.append((asyncio.get_running_loop().time(), schema))
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        self.known.add(schema)


class Scene:
    def __init__(self) -> None:
        self.step = FakeStep()
        self.schemas = FakeSchemas()
        self.first = PrerequisitesFirst(self.step, Prerequisites(self.schemas))
        self.running = asyncio.ensure_future(self.first.run())

    def accepted(self) -> list[bytes | None]:
        return [batch.messages[0].value for batch in self.step.batches]


def scene(play: Callable[[Scene], Coroutine[object, object, None]]) -> Callable[[], None]:
    """Play a test in virtual time."""

    async def whole() -> None:
        stage = Scene()
        await asyncio.sleep(0.01)  # virtual: both have begun
        try:
            await play(stage)
        finally:
            stage.running.cancel()
            await asyncio.wait({stage.running})

    def test() -> None:
        run_virtual(whole())

    test.__name__ = play.__name__
    return test


@scene
async def test_what_is_known_goes_on_at_once(stage: Scene) -> None:
    stage.schemas.known = {b"a"}
    stage.first.accept(Batch(b"a"))
    assert stage.accepted() == [b"a"]
    assert stage.first.status().retrying is False


@scene
async def test_what_is_behind_an_unknown_schema_waits_and_other_partitions_do_not(stage: Scene) -> None:
    stage.schemas.known = {b"a"}
    stage.schemas.answers.clear()
    stage.first.accept(Batch(b"new"))
    stage.first.accept(Batch(b"a"))
    stage.first.accept(Batch(b"a", partition=1))
    await asyncio.sleep(1)
    assert [(batch.partition, batch.messages[0].value) for batch in stage.step.batches] == [(1, b"a")]
    assert stage.first.status().retrying is True
    stage.schemas.answers.set()
    await asyncio.sleep(0.1)
    assert stage.accepted() == [b"a", b"new", b"a"]
    stage.first.accept(Batch(b"new"))
    assert stage.accepted()[-1] == b"new"
    assert stage.first.status().retrying is False


@scene
async def test_the_schemas_of_a_batch_are_looked_up_side_by_side(stage: Scene) -> None:
    stage.schemas.answers.clear()
    stage.first.accept(Batch(*(b"%d" % number for number in range(1_000))))
    await asyncio.sleep(1)
    assert len(stage.schemas.asked) == 1_000
    stage.schemas.answers.set()
    await asyncio.sleep(0.1)
    assert len(stage.accepted()) == 1


@scene
async def test_while_the_registry_is_away_it_holds_and_asks_less_and_less_often(stage: Scene) -> None:
    stage.schemas.error = PrerequisiteAwayError("no answer: check the address")
    with structlog.testing.capture_logs() as logs:
        stage.first.accept(Batch(b"new"))
        stage.first.accept(Batch(b"new", partition=1))
        await asyncio.sleep(100)
        assert stage.first.status().hold_reason == "no answer: check the address"
        assert stage.first.status().holds == {HoldReason.SCHEMA_REGISTRY_AWAY}
        stage.schemas.error = None
        await asyncio.sleep(LAST_RETRY_SECONDS)
    assert stage.first.status().hold_reason is None
    assert stage.first.status().holds == frozenset()
    assert stage.accepted() == [b"new", b"new"]
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(stage.schemas.asked[::2])]
    assert waits[:6] == pytest.approx([0.5, 1, 2, 4, 8, 15])
    assert [line["event"] for line in logs] == [
        "prerequisites unavailable, holding",
        "prerequisites available again",
    ]


@scene
async def test_a_drain_does_not_wait_for_a_registry_that_is_away(stage: Scene) -> None:
    stage.schemas.error = PrerequisiteAwayError("away")
    stage.first.accept(Batch(b"new"))
    await stage.first.drain(deadline_seconds=60)
    assert asyncio.get_running_loop().time() < 1
    assert stage.step.effects == ["drain 60"]


@scene
async def test_a_drain_waits_for_an_answer_within_its_time(stage: Scene) -> None:
    stage.schemas.answers.clear()
    stage.first.accept(Batch(b"new"))
    await stage.first.drain(deadline_seconds=2)
    assert stage.step.effects == ["drain 0"]
    asyncio.get_running_loop().call_later(1, stage.schemas.answers.set)
    await stage.first.drain(deadline_seconds=5)
    assert stage.step.effects == ["drain 0", "drain 4"]
    assert stage.accepted() == [b"new"]


@scene
async def test_a_partition_that_is_given_up_forgets_what_waits_and_its_hold(stage: Scene) -> None:
    stage.schemas.error = PrerequisiteAwayError("away")
    stage.first.accept(Batch(b"new"))
    stage.first.accept(Batch(b"new", partition=1))
    await asyncio.sleep(1)
    await stage.first.revoke({(TOPIC, 0)}, timeout_seconds=3)
    assert stage.step.effects == ["revoke [0] 3"]
    assert stage.first.status().hold_reason == "away"
    stage.schemas.error = None
    await asyncio.sleep(60)
    assert [batch.partition for batch in stage.step.batches] == [1]
    assert stage.first.status().hold_reason is None


@scene
async def test_the_hold_of_the_step_is_reported_when_no_schema_is_away(stage: Scene) -> None:
    stage.step.now.hold_reason = "its own"
    assert stage.first.status().hold_reason == "its own"


@scene
async def test_a_look_up_that_fails_for_good_ends_the_step(stage: Scene) -> None:
    stage.schemas.error = ValueError("a fault")
    stage.first.accept(Batch(b"new"))
    with pytest.raises(ValueError, match="a fault"):
        await stage.running
    assert stage.accepted() == []


@scene
async def test_a_fault_of_the_step_is_raised(stage: Scene) -> None:
    stage.step.fail(ValueError("its own"))
    with pytest.raises(ValueError, match="its own"):
        await stage.running


@scene
async def test_what_every_batch_will_need_is_obtained_at_the_assignment(stage: Scene) -> None:
    stage.schemas.all_need = {b"state"}
    stage.schemas.answers.clear()
    stage.first.assigned([(TOPIC, 0)])
    stage.first.accept(Batch(b""))
    await asyncio.sleep(1)
    assert (stage.step.partitions, stage.accepted(), stage.first.status().retrying) == ([0], [], True)
    stage.schemas.answers.set()
    await asyncio.sleep(1)
    assert stage.accepted() == [b""]
    assert [need for _, need in stage.schemas.asked] == [b"state"]


@scene
async def test_what_was_obtained_for_a_partition_is_forgotten_with_it_and_after_its_step(stage: Scene) -> None:
    stage.schemas.all_need = {b"state"}
    stage.first.assigned([(TOPIC, 0), (TOPIC, 1)])
    await asyncio.sleep(1)
    stage.step.may_revoke.clear()
    revoking = asyncio.create_task(stage.first.revoke([(TOPIC, 1)], timeout_seconds=5))
    await stage.step.in_revoke.wait()
    assert stage.schemas.forgotten == []
    stage.step.may_revoke.set()
    await revoking
    assert stage.schemas.forgotten == [1]
