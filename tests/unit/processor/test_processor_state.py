"""The status and metrics of a processor: holds, retries, the share of dead letters, settled events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.prerequisites import PrerequisiteAwayError, Prerequisites
from pipeline.processor.admission import ASK_AGAIN_SECONDS
from tests.fakes.processor import WANTED, Needed, ProcessorBench, as_far_as_it_goes, processing
from tests.fakes.stream import BOUND_SECONDS, TOPIC
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TOO_LARGE = "Kafka refuses a message as too large"


@pytest.fixture
async def bench() -> AsyncIterator[ProcessorBench]:
    async with processing() as bench:
        yield bench


async def test_a_write_that_kafka_refuses_is_a_hold_until_it_is_taken(bench: ProcessorBench) -> None:
    bench.health.hold_reason = TOO_LARGE
    state = bench.processor.status()
    assert (state.hold_reason, state.holds) == (TOO_LARGE, frozenset({HoldReason.MESSAGE_TOO_LARGE}))
    bench.health.hold_reason = None
    state = bench.processor.status()
    assert (state.hold_reason, state.holds) == (None, frozenset())


async def test_the_causes_of_all_holds_are_told_together_and_the_first_to_mend_in_words() -> None:
    needed = Needed(partition=0)
    needed.error = PrerequisiteAwayError("Kafka is away")
    needed.may_answer.set()
    async with processing(prerequisites=Prerequisites(needed)) as bench:
        bench.accept("waits", partition=0)
        bench.accept("broken", partition=1, bad=20)
        bench.health.hold_reason = TOO_LARGE
        await bench.settled()
        state = bench.processor.status()
        assert state.holds == {HoldReason.STATE_AWAY, HoldReason.BREAKER, HoldReason.MESSAGE_TOO_LARGE}
        assert state.hold_reason == "Kafka is away"
        await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0)
        state = bench.processor.status()
        assert state.holds == {HoldReason.BREAKER, HoldReason.MESSAGE_TOO_LARGE}
        assert "would become dead letters" in (state.hold_reason or "")


async def test_a_hold_is_logged_once_at_its_beginning_and_once_at_its_end(bench: ProcessorBench) -> None:
    with structlog.testing.capture_logs() as lines:
        for partition in (0, 1):
            bench.accept("broken", partition=partition, bad=11, good=0)
            await bench.settled()
        for partition in (0, 1):
            await bench.processor.revoke([(TOPIC, partition)], timeout_seconds=0)
    assert [line["event"] for line in lines] == ["processor holds", "processor resumed"]


async def test_a_hold_of_kafka_goes_on_when_that_of_the_breaker_ends(bench: ProcessorBench) -> None:
    with structlog.testing.capture_logs() as lines:
        bench.accept("broken", bad=11, good=0)
        await bench.settled()
        bench.health.hold_reason = TOO_LARGE
        await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0)
        assert [line["event"] for line in lines] == ["processor holds"]
        bench.health.hold_reason = None
        await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0)
    assert [line["event"] for line in lines] == ["processor holds", "processor resumed"]


async def write_what_was_held(bench: ProcessorBench) -> None:
    """Let the breaker hold a batch and then permit it; afterwards its write is under way and not confirmed."""
    bench.accept("few", bad=10, good=0)
    await bench.settled()
    bench.accept("held", bad=1, good=0)
    await bench.settled()
    bench.accept("good", partition=1, good=100)
    await bench.acknowledged("good")
    bench.stores.may_confirm.clear()
    await asyncio.sleep(ASK_AGAIN_SECONDS + 1)


def test_a_hold_of_the_breaker_ends_before_the_batch_is_written() -> None:
    async def story() -> None:
        async with processing() as bench:
            await write_what_was_held(bench)
            state = bench.processor.status()
            assert (state.hold_reason, state.holds, bench.batches_in_hand) == (None, frozenset(), 1)
            assert state.on_purpose == set(), "what is being written waits for Kafka"

    run_virtual(story())


def test_a_drain_waits_for_a_batch_that_was_held_and_is_being_written() -> None:
    async def story() -> list[str]:
        async with processing() as bench:
            await write_what_was_held(bench)
            asyncio.get_running_loop().call_later(1, bench.stores.may_confirm.set)
            await bench.processor.drain(deadline_seconds=60)
            return list(bench.effects)

    assert run_virtual(story())[-1] == "acknowledged held"


async def test_a_write_that_is_repeated_is_told_as_a_retry(bench: ProcessorBench) -> None:
    assert bench.processor.status().retrying is False
    bench.health.retrying = True
    assert bench.processor.status().retrying is True


@pytest.mark.parametrize(
    "repeating",
    [
        lambda bench: bench.stores.repeating,
        lambda bench: bench.stores.letters.repeating,
        lambda bench: bench.state.repeating,
    ],
    ids=["records", "letters", "state"],
)
async def test_whatever_is_repeated_of_a_partition_excuses_it_and_no_other(
    repeating: Callable[[ProcessorBench], set[int]],
) -> None:
    async with processing(remembers=True) as bench:
        bench.state.due = {0, 1}
        bench.accept_round({"repeated": 0, "slow": 1})
        repeating(bench).add(0)
        repeating(bench).add(2)
        await asyncio.wait_for(bench.state.asked.wait(), BOUND_SECONDS)
        assert bench.processor.status().on_purpose == {(TOPIC, 0)}


async def test_what_is_repeated_for_others_excuses_no_partition_whose_batch_is_only_slow(
    bench: ProcessorBench,
) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("slow")
    await as_far_as_it_goes()
    bench.stores.repeating = {0}
    assert bench.processor.status().on_purpose == set()


async def test_the_share_of_dead_letters_counts_good_batches_too(bench: ProcessorBench) -> None:
    bench.accept("bad", bad=10, good=0)
    bench.accept("good", good=30)
    bench.accept("good as well", partition=1, good=10)
    await bench.settled()
    assert bench.breaker_share() == 10 / 50


async def test_batches_that_are_dropped_as_a_whole_count_for_the_share_of_dead_letters() -> None:
    async with processing(policy=WANTED) as bench:
        bench.accept("bad", bad=10, good=0)
        bench.processor.accept(bench.batch("dropped", partition=1, good=0, unwanted=40))
        await bench.settled()
        assert bench.breaker_share() == 10 / 50


async def test_a_batch_that_waits_for_its_state_counts_once_for_the_share_of_dead_letters() -> None:
    async with processing(remembers=True) as bench:
        bench.state.may_confirm.set()
        bench.accept("bad", bad=10, good=0)
        await bench.settled()
        bench.state.due = {1}
        bench.accept("good", partition=1, good=30)
        await bench.settled()
        assert bench.state.asked.is_set()
        assert bench.breaker_share() == 10 / 40


async def test_a_hold_names_its_partition_and_the_reasons_of_its_rejects(bench: ProcessorBench) -> None:
    bench.accept("broken", partition=3, bad=11, good=0)
    await bench.settled()
    reason = bench.processor.status().hold_reason or ""
    assert reason.startswith(
        "more than 0.05 of the last 100 messages would become dead letters, and none of these was written"
        " (partition 3; the reasons are not_json)"
    )


def summaries(lines: list[Any]) -> list[dict[str, int]]:
    """Return the numbers of every summary line."""
    return [
        {name: number for name, number in line.items() if isinstance(number, int)}
        for line in lines
        if line["event"] == "events settled"
    ]


def test_a_summary_counts_batches_messages_by_outcome_and_what_was_written_again() -> None:
    async def story() -> None:
        async with processing(policy=WANTED) as bench:
            bench.processor.accept(
                bench.batch("mixed", partition=0, good=3, bad=2, unwanted=4), bench.batch("quick", partition=1)
            )
            await bench.settled()

    with structlog.testing.capture_logs() as lines:
        run_virtual(story())
    assert summaries(lines) == [
        {"batches": 2, "received": 10, "forwarded": 4, "dropped": 4, "rejected": 2, "repeated": 0}
    ]


def test_writes_that_are_repeated_are_in_the_summary_while_nothing_is_settled() -> None:
    async def story() -> None:
        async with processing() as bench:
            bench.stores.may_confirm.clear()
            bench.accept("waits")
            for _ in range(3):
                bench.counts.write_repeated()
            await asyncio.sleep(1.0)
            assert summaries(lines) == [
                {"batches": 0, "received": 0, "forwarded": 0, "dropped": 0, "rejected": 0, "repeated": 3}
            ]

    with structlog.testing.capture_logs() as lines:
        run_virtual(story())
