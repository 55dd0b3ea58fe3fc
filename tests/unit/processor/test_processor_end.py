"""How a processor ends, drains, and gives partitions up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.kafka.prerequisites import PrerequisiteAwayError, Prerequisites
from tests.fakes.processor import Needed, ProcessorBench, as_far_as_it_goes, processing
from tests.fakes.stream import BOUND_SECONDS, TOPIC
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.kafka.producer import Handed, OutboundMessage


@pytest.fixture
async def bench() -> AsyncIterator[ProcessorBench]:
    async with processing() as bench:
        yield bench


def test_a_run_that_is_cancelled_writes_nothing_more_and_waits_for_nothing() -> None:
    async def story() -> tuple[list[str], float]:
        bench = ProcessorBench()
        await asyncio.sleep(0)
        bench.stores.may_confirm.clear()
        bench.accept("handed over", partition=0)
        bench.accept("alone", partition=1, good=20, bad=1)
        await asyncio.sleep(1)
        await bench.end()
        bench.stores.may_confirm.set()
        await asyncio.sleep(1)
        assert (bench.metric("given_back_total"), bench.metric("in_flight")) == (22, 0)
        return bench.effects, asyncio.get_running_loop().time()

    assert run_virtual(story()) == ([], 2.0)


async def test_a_fault_gives_the_other_partitions_up_and_the_first_one_is_raised() -> None:
    bench = ProcessorBench()
    await asyncio.sleep(0)
    faults = [RuntimeError("the first"), RuntimeError("the second")]
    confirmations: list[asyncio.Future[None]] = []
    all_are_written = asyncio.Event()

    async def store(source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None) -> None:
        del source_partition, records, handed
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        confirmations.append(confirmation)
        if len(confirmations) == 3:
            all_are_written.set()
        await confirmation

    bench.stores.takes_at_once = False
    bench.stores.store = store  # type: ignore[method-assign]
    bench.accept_round({"first": 0, "second": 1, "third": 2})
    await asyncio.wait_for(all_are_written.wait(), BOUND_SECONDS)
    for confirmation, fault in zip(confirmations, faults, strict=False):
        confirmation.set_exception(fault)
    with pytest.raises(RuntimeError, match="the first"):
        await asyncio.wait_for(bench.running, BOUND_SECONDS)
    assert (confirmations[2].cancelled(), bench.effects, bench.mishaps) == (True, [], [])
    assert bench.metric("given_back_total") == 3


async def test_a_fault_in_a_round_ends_the_run(bench: ProcessorBench) -> None:
    async def hand_over(source_partition: int, records: Sequence[OutboundMessage]) -> Handed:
        raise RuntimeError(f"{len(records)} records of {source_partition} are in nobody's hands")

    bench.stores.hand_over = hand_over  # type: ignore[method-assign]
    bench.accept("first")
    with pytest.raises(RuntimeError, match="1 records of 0"):
        await asyncio.wait_for(bench.running, BOUND_SECONDS)


async def test_a_drain_ends_when_what_a_partition_needs_turns_out_to_be_away() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.accept("waits")
        draining = asyncio.create_task(bench.processor.drain(deadline_seconds=60))
        await asyncio.wait_for(needed.asking.wait(), BOUND_SECONDS)
        assert not draining.done()
        needed.error = PrerequisiteAwayError("Kafka is away")
        needed.may_answer.set()
        await asyncio.wait_for(draining, BOUND_SECONDS)
        assert bench.effects == []


async def test_a_drain_ends_when_a_batch_turns_out_to_be_held() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.accept("broken", bad=20)
        draining = asyncio.create_task(bench.processor.drain(deadline_seconds=60))
        await asyncio.wait_for(needed.asking.wait(), BOUND_SECONDS)
        needed.may_answer.set()
        await asyncio.wait_for(draining, BOUND_SECONDS)
        assert bench.effects == []
        assert bench.processor.status().hold_reason is not None


async def test_a_drain_ends_when_the_last_batch_is_settled(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first")
    bench.accept("with a letter", partition=1, good=20, bad=1)
    draining = asyncio.create_task(bench.processor.drain(deadline_seconds=60))
    await as_far_as_it_goes()
    assert not draining.done()
    bench.stores.may_confirm.set()
    await asyncio.wait_for(draining, BOUND_SECONDS)
    assert bench.batches_in_hand == 0


async def test_a_drain_ends_when_the_step_fails_meanwhile(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.stores.takes_at_once = False
    bench.accept("first")
    draining = asyncio.create_task(bench.processor.drain(deadline_seconds=60))
    await as_far_as_it_goes()
    assert not draining.done()
    bench.stores.error = RuntimeError("a fault")
    bench.stores.may_confirm.set()
    await asyncio.wait_for(draining, BOUND_SECONDS)
    assert bench.effects == []


async def test_a_revocation_writes_what_can_be_written_in_its_time(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first")
    revoking = asyncio.create_task(bench.processor.revoke([(TOPIC, 0)], timeout_seconds=60))
    await as_far_as_it_goes()
    assert not revoking.done()
    bench.stores.may_confirm.set()
    await asyncio.wait_for(revoking, BOUND_SECONDS)
    assert bench.effects == ["stored 1 records of 0", "acknowledged first"]
    assert bench.metric("given_back_total") == 0


async def test_a_revocation_does_not_wait_for_partitions_that_stay(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept_round({"leaves": 0, "stays": 1})
    bench.stores.confirm_alone(0)
    await asyncio.wait_for(bench.processor.revoke([(TOPIC, 0), (TOPIC, 7)], timeout_seconds=60), BOUND_SECONDS)
    assert bench.effects == ["stored 1 records of 0", "acknowledged leaves"]
    bench.stores.may_confirm.set()
    await bench.settled()
    assert bench.effects[-1] == "acknowledged stays"


async def test_everything_that_was_needed_is_forgotten_with_a_partition_that_had_nothing_in_hand() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        await bench.processor.revoke([(TOPIC, 4), (TOPIC, 0)], timeout_seconds=60)
        assert needed.forgotten == [4, 0]


async def test_a_run_that_ends_forgets_what_was_needed_and_says_what_it_settled_last() -> None:
    needed = Needed(partition=0)
    with structlog.testing.capture_logs() as lines:
        async with processing(prerequisites=Prerequisites(needed)) as bench:
            bench.processor.assigned([(TOPIC, 0)])
            for name in ("first", "second"):  # the first summary is written at once
                bench.accept(name, partition=1)
                await bench.settled()
                await as_far_as_it_goes()
    assert needed.forgotten == [0, 1]
    assert [line["batches"] for line in lines if line["event"] == "events settled"] == [1, 1]
