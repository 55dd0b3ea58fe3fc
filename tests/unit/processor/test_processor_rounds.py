"""Rounds of a processor: whose turn comes when, and what leaves a round."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.kafka.prerequisites import Prerequisites
from pipeline.processor.rounds import MESSAGES_A_STEP
from tests.fakes.processor import PATIENCE_SECONDS, WANTED, Batch, Needed, ProcessorBench, as_far_as_it_goes, processing
from tests.fakes.stream import BOUND_SECONDS, TOPIC
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.core.messages import MessageBatch
    from pipeline.kafka.producer import Handed, OutboundMessage


@pytest.fixture
async def bench() -> AsyncIterator[ProcessorBench]:
    async with processing() as bench:
        yield bench


async def test_the_event_loop_gets_a_turn_after_so_many_messages_and_not_between_small_batches(
    bench: ProcessorBench,
) -> None:
    seen: list[int] = []

    async def looks() -> None:
        while True:
            seen.append(len(bench.decided_by))
            await asyncio.sleep(0)

    looking = asyncio.create_task(looks())
    bench.processor.accept(
        bench.batch("many", partition=0, good=MESSAGES_A_STEP + 1),
        bench.batch("few", partition=1),
        bench.batch("a few more", partition=2),
        bench.batch("many again", partition=3, good=MESSAGES_A_STEP + 1),
        bench.batch("last", partition=4),
    )
    await bench.settled()
    looking.cancel()
    assert sorted(set(seen)) == [0, 1, 4, 5]


def test_a_turn_of_the_event_loop_takes_no_time_of_its_own() -> None:
    async def story() -> float:
        async with processing() as bench:
            bench.processor.accept(
                bench.batch("many", partition=0, good=MESSAGES_A_STEP + 1), bench.batch("few", partition=1)
            )
            await bench.settled()
            return asyncio.get_running_loop().time()

    assert run_virtual(story()) == 0


async def test_a_partition_that_is_given_up_in_the_middle_of_a_round_is_not_decided_and_the_next_one_is(
    bench: ProcessorBench,
) -> None:
    at_the_first, may_go_on = asyncio.Event(), asyncio.Event()
    hand_over = bench.stores.hand_over

    async def hands_over_slowly(source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        at_the_first.set()
        await may_go_on.wait()
        return await hand_over(source_partition, records)

    bench.stores.hand_over = hands_over_slowly  # type: ignore[method-assign]
    bench.accept_round({"first": 0, "given up": 1, "last": 2})
    await asyncio.wait_for(at_the_first.wait(), BOUND_SECONDS)
    await bench.processor.revoke([(TOPIC, 1)], timeout_seconds=0)
    may_go_on.set()
    await bench.acknowledged("last")
    assert len(bench.decided_by) == 2
    assert "acknowledged given up" not in bench.effects


async def test_what_waits_behind_a_batch_of_a_round_goes_on_as_soon_as_that_one_is_confirmed(
    bench: ProcessorBench,
) -> None:
    bench.stores.may_confirm.clear()
    bench.processor.accept(
        bench.batch("slow", partition=0), bench.batch("other", partition=1), bench.batch("behind it", partition=1)
    )
    bench.stores.confirm_alone(1)
    await bench.acknowledged("behind it")
    assert "acknowledged slow" not in bench.effects


async def test_batches_that_are_dropped_as_a_whole_follow_one_another() -> None:
    async with processing(policy=WANTED) as bench:
        names = [f"dropped {number}" for number in range(3)]
        bench.processor.accept(*(bench.batch(name, good=0, unwanted=2) for name in names))
        await bench.settled()
        assert bench.effects == [f"acknowledged {name}" for name in names]
        assert bench.batches_in_hand == 0


async def test_a_batch_that_goes_alone_is_followed_by_the_next_of_its_partition(bench: ProcessorBench) -> None:
    bench.stores.takes_at_once = False
    bench.processor.accept(bench.batch("first"), bench.batch("second"))
    await bench.settled()
    assert bench.effects == [
        "stored 1 records of 0",
        "acknowledged first",
        "stored 1 records of 0",
        "acknowledged second",
    ]


def test_a_write_leaves_its_round_when_it_is_late_and_not_before() -> None:
    async def story() -> list[tuple[float, list[int]]]:
        async with processing() as bench:
            bench.stores.may_confirm.clear()
            bench.accept_round({"slow": 0, "other": 1, "slow as well": 2})
            seen = []
            for seconds in (PATIENCE_SECONDS - 1, 2.0):
                await asyncio.sleep(seconds)
                seen.append((asyncio.get_running_loop().time(), sorted(bench.stores.resumed)))
                bench.stores.confirm_alone(1)
            bench.stores.may_confirm.set()
            await bench.settled()
            assert sorted(effect for effect in bench.effects if effect.startswith("acknowledged")) == [
                "acknowledged other",
                "acknowledged slow",
                "acknowledged slow as well",
            ]
            return seen

    assert run_virtual(story()) == [(PATIENCE_SECONDS - 1, []), (PATIENCE_SECONDS + 1, [0, 2])]


async def test_a_round_is_referred_to_while_it_goes_on_and_forgotten_when_it_is_over(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept_round({"first": 0, "other": 1})
    bench.accept("last", partition=2)
    await as_far_as_it_goes()
    assert len(bench.processor._rounds._tasks) == 2, "asyncio refers to its tasks weakly"
    bench.stores.may_confirm.set()
    await bench.settled()
    await as_far_as_it_goes()
    assert bench.processor._rounds._tasks == set()


async def test_a_batch_that_comes_while_its_partition_is_prepared_is_written_once_when_that_is_done() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.processor.assigned([(TOPIC, 0), (TOPIC, 1)])
        await asyncio.wait_for(needed.asking.wait(), BOUND_SECONDS)
        assert bench.processor.status().retrying
        bench.accept("first")
        bench.accept("second")
        await as_far_as_it_goes()
        assert (bench.effects, needed.asked) == ([], 1)
        needed.may_answer.set()
        await bench.settled()
        await as_far_as_it_goes()
        assert bench.effects == [
            "stored 1 records of 0",
            "acknowledged first",
            "stored 1 records of 0",
            "acknowledged second",
        ]


async def test_a_partition_that_needs_nothing_is_not_prepared() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.processor.assigned([(TOPIC, 1)])
        assert not bench.processor._rounds.queues
        bench.accept("first", partition=1)
        await bench.settled()
        assert bench.effects == ["stored 1 records of 1", "acknowledged first"]


async def test_a_partition_that_was_prepared_and_has_nothing_in_hand_waits_for_nothing() -> None:
    needed = Needed(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.processor.assigned([(TOPIC, 0)])
        needed.may_answer.set()
        await as_far_as_it_goes()
        bench.stores.repeating = {0}
        assert (bench.processor.status().on_purpose, bench.processor.status().retrying) == (set(), False)


class NeededByOne(Needed):
    """A prerequisite of one batch, and of no other batch of its partition."""

    batch: Batch | None = None

    def missing_for(self, partition: int) -> set[int]:
        del partition
        return set()

    def missing(self, batch: MessageBatch) -> set[int]:
        return super().missing_for(batch.partition) if batch is self.batch else set()


async def test_the_first_batch_of_a_partition_waits_for_what_it_needs_though_the_ones_behind_it_need_nothing() -> None:
    needed = NeededByOne(partition=0)
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        needed.batch = bench.batch("needs something")
        bench.processor.accept(needed.batch, bench.batch("behind it"))
        await asyncio.wait_for(needed.asking.wait(), BOUND_SECONDS)
        assert (bench.decided_by, bench.effects) == ([], [])
        needed.may_answer.set()
        await bench.settled()
        assert [effect for effect in bench.effects if effect.startswith("acknowledged")] == [
            "acknowledged needs something",
            "acknowledged behind it",
        ]


async def test_the_partitions_behind_one_that_goes_alone_stay_in_the_round(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.processor.accept(
        bench.batch("with a letter", partition=0, bad=1),
        bench.batch("other", partition=1),
    )
    bench.stores.confirm_alone(1)
    await bench.acknowledged("other")
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]


async def test_state_that_has_to_be_stored_goes_before_the_records_of_its_partition_and_delays_no_other() -> None:
    async with processing(remembers=True) as bench:
        bench.state.due = {1}
        bench.accept_round({"other": 0, "with state to store": 1, "last": 2})
        await bench.acknowledged("last")
        assert "stored 1 records of 1" not in bench.effects
        bench.state.may_confirm.set()
        await bench.settled()
        assert [effect for effect in bench.effects if effect.endswith(("of 1", "with state to store"))] == [
            "stored 0 changes of 1",
            "stored 1 records of 1",
            "acknowledged with state to store",
        ]
