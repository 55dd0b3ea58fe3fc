from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.policy import Policy
from pipeline.kafka.prerequisites import PrerequisiteAwayError, Prerequisites
from pipeline.kafka.producer import Handed
from pipeline.processor.admission import ASK_AGAIN_SECONDS
from pipeline.processor.deciding import decide_batch
from pipeline.processor.partition_queue import PartitionQueue
from pipeline.processor.turn import Turn
from tests.builders import SEGMENT, encode, raw_event
from tests.fakes.processor import PATIENCE_SECONDS, WANTED, Batch, Needed, ProcessorBench, as_far_as_it_goes, processing
from tests.fakes.stream import BOUND_SECONDS, TOPIC, FakeMessage
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.kafka.producer import OutboundMessage


@pytest.fixture
async def bench() -> AsyncIterator[ProcessorBench]:
    async with processing() as bench:
        yield bench


async def test_a_batch_is_acknowledged_after_its_records_and_its_letters_are_stored(bench: ProcessorBench) -> None:
    bench.accept("first", good=2, bad=1)
    await bench.settled()
    assert bench.effects == ["stored 2 records of 0", "stored 1 letters", "acknowledged first"]


async def test_what_a_batch_changes_is_confirmed_before_any_record_or_letter_of_it_is_written() -> None:
    bench = ProcessorBench(remembers=True)
    await asyncio.sleep(0)
    bench.accept("first", good=2, bad=1)
    await asyncio.wait_for(bench.state.asked.wait(), BOUND_SECONDS)
    await asyncio.sleep(0)
    assert bench.effects == [], "everything waits for what is remembered"
    bench.state.may_confirm.set()
    bench.accept("second")
    await bench.settled()
    assert bench.effects == [
        "stored 1 changes of 0",
        "stored 2 records of 0",
        "stored 1 letters",
        "acknowledged first",
        "stored 1 records of 0",
        "acknowledged second",
    ]
    await bench.end()


async def test_the_batches_of_a_partition_are_written_one_after_the_other(bench: ProcessorBench) -> None:
    bench.accept("first")
    bench.accept("second", good=2)
    await bench.settled()
    assert bench.effects == [
        "stored 1 records of 0",
        "acknowledged first",
        "stored 2 records of 0",
        "acknowledged second",
    ]


async def test_partitions_are_written_side_by_side(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first", partition=0)
    bench.accept("other", partition=1)
    bench.accept("second", partition=0)
    assert bench.batches_in_hand == 3
    bench.stores.may_confirm.set()
    await bench.settled()
    assert set(bench.effects[:2]) == {"stored 1 records of 0", "stored 1 records of 1"}
    assert bench.batches_in_hand == 0


async def test_a_drain_waits_no_longer_than_its_deadline(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first")
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=0.02)
    assert bench.effects == []


async def test_a_revocation_gives_up_what_is_not_written_in_time_and_never_acknowledges_it(
    bench: ProcessorBench,
) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first", good=2)
    bench.accept("second", good=3)
    bench.accept("other", partition=1)
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.02)
    bench.stores.may_confirm.set()
    await bench.settled()
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]
    assert (bench.metric("given_back_total"), bench.metric("in_flight")) == (5, 0)


async def test_a_revocation_gives_up_what_is_being_written_alone(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first", good=20, bad=1)
    await as_far_as_it_goes()
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0)
    bench.stores.may_confirm.set()
    await as_far_as_it_goes()
    assert bench.effects == []


async def test_a_partition_that_comes_back_starts_anew(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("given up")
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.0)
    bench.stores.may_confirm.set()
    bench.accept("again")
    await bench.settled()
    assert bench.effects == ["stored 1 records of 0", "acknowledged again"]


async def test_a_revocation_of_what_is_not_in_hand_ends_at_once(bench: ProcessorBench) -> None:
    await bench.processor.revoke([(TOPIC, 9)], timeout_seconds=60.0)
    assert bench.effects == []


async def test_a_fault_of_a_store_ends_the_run_and_nothing_is_acknowledged(bench: ProcessorBench) -> None:
    bench.stores.error = RuntimeError("not started")
    bench.accept("first")
    with pytest.raises(RuntimeError, match="not started"):
        await asyncio.wait_for(bench.running, BOUND_SECONDS)
    assert bench.effects == []


async def test_a_drain_after_a_fault_does_not_wait_for_what_will_never_be_written(bench: ProcessorBench) -> None:
    bench.stores.error = RuntimeError("not started")
    bench.accept("first")
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=60.0)
        await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=60.0)
    assert bench.effects == []


async def test_a_batch_given_before_the_run_is_a_mistake() -> None:
    bench = ProcessorBench()
    with pytest.raises(RuntimeError, match="not running"):
        bench.accept("early")
    await bench.end()


async def test_received_is_forwarded_plus_rejected_plus_in_flight_plus_given_back(bench: ProcessorBench) -> None:
    bench.accept("first", good=3, bad=2)
    await bench.settled()
    bench.stores.may_confirm.clear()
    bench.accept("second", good=4)
    bench.accept("other", partition=1, good=5)
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.0)
    counted = {name: bench.metric(name) for name in ("received_total", "in_flight", "given_back_total")}
    assert counted == {"received_total": 14, "in_flight": 5, "given_back_total": 4}


async def test_a_batch_of_which_too_much_would_be_a_dead_letter_is_held_before_anything_is_written(
    bench: ProcessorBench,
) -> None:
    bench.accept("broken", good=89, bad=11)
    bench.accept("behind it", good=1)
    await bench.settled()
    assert bench.effects == []
    reason = bench.processor.status().hold_reason or ""
    assert "not_json" in reason
    assert "PIPELINE_DEAD_LETTER_MAX_SHARE" in reason
    assert (bench.processor.status().holds, bench.metric("in_flight")) == (frozenset({HoldReason.BREAKER}), 101)


async def test_a_few_bad_messages_hold_nothing(bench: ProcessorBench) -> None:
    bench.accept("first", bad=10, good=0)
    await bench.settled()
    assert bench.effects == ["stored 0 records of 0", "stored 10 letters", "acknowledged first"]
    assert bench.processor.status().hold_reason is None


async def test_a_drain_and_a_revocation_do_not_wait_for_what_is_held(bench: ProcessorBench) -> None:
    bench.accept("broken", bad=11, good=0)
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=60.0)
        with structlog.testing.capture_logs() as lines:
            await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=60.0)
    assert bench.effects == []
    assert (bench.processor.status().hold_reason, bench.processor.status().holds) == (None, frozenset())
    assert bench.metric("given_back_total") == 11
    assert lines == [{"event": "processor resumed", "log_level": "info"}]


async def test_other_partitions_go_on_while_one_is_held_and_it_is_said_once(bench: ProcessorBench) -> None:
    with structlog.testing.capture_logs() as lines:
        bench.accept("broken", bad=11, good=0)
        bench.accept("also broken", partition=2, bad=11, good=0)
        bench.accept("other", partition=1)
        await bench.settled()
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["processor holds"]


def test_a_held_batch_goes_on_when_good_ones_of_other_partitions_make_it_few() -> None:
    async def story() -> list[str]:
        bench = ProcessorBench()
        await asyncio.sleep(0)
        bench.accept("first", bad=10, good=0)
        await bench.settled()
        bench.accept("held", bad=1, good=0)
        await bench.settled()
        assert bench.processor.status().hold_reason is not None
        bench.accept("good", partition=1, good=100)
        await asyncio.sleep(ASK_AGAIN_SECONDS + 1)
        assert bench.processor.status().hold_reason is None
        await bench.end()
        return bench.effects

    assert run_virtual(story())[-1] == "acknowledged held"


async def test_rejects_that_a_setting_asks_for_are_no_alarm() -> None:
    anonymous = raw_event(external_id="")
    policy = Policy(records=SEGMENT, anonymous_engagement=AnonymousPolicy.REJECT)
    run = [FakeMessage(offset=number, value=encode(anonymous)) for number in range(20)]
    tally = decide_batch(Batch([], "anonymous", run), policy).tally
    assert (sum(tally.rejected.values()), tally.alarming) == (20, 0)


async def test_a_round_settles_each_partition_when_its_own_write_is_confirmed(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept_round({"slow": 0, "other": 1})
    await asyncio.sleep(0)
    bench.stores.confirm_alone(1)
    await bench.acknowledged("other")
    bench.accept("next of the other", partition=1)
    bench.stores.confirm_alone(1)
    await bench.acknowledged("next of the other")
    assert "acknowledged slow" not in bench.effects
    bench.stores.may_confirm.set()
    await bench.settled()
    assert bench.effects[-1] == "acknowledged slow"


async def test_a_write_that_fails_is_gone_on_with_alone(bench: ProcessorBench) -> None:
    bench.stores.fail_once = OSError("the broker went away")
    bench.accept_round({"first": 0, "other": 1})
    await bench.settled()
    assert sorted(bench.effects) == [
        "acknowledged first",
        "acknowledged other",
        "stored 1 records of 0",
        "stored 1 records of 1",
    ]
    assert bench.stores.resumed == [0]


def test_a_write_that_is_not_confirmed_for_long_leaves_its_round() -> None:
    async def story() -> tuple[list[int], list[str]]:
        bench = ProcessorBench()
        await asyncio.sleep(0)
        bench.stores.may_confirm.clear()
        bench.accept("first")
        await asyncio.sleep(PATIENCE_SECONDS + 1)
        resumed = list(bench.stores.resumed)
        bench.stores.may_confirm.set()
        await bench.settled()
        await bench.end()
        return resumed, bench.effects

    resumed, effects = run_virtual(story())
    assert resumed == [0]
    assert effects[-1] == "acknowledged first"


async def test_events_that_are_all_dropped_are_settled_without_a_write() -> None:
    bench = ProcessorBench(policy=WANTED)
    await asyncio.sleep(0)
    bench.processor.accept(bench.batch("dropped", good=0, unwanted=1))
    await bench.settled()
    assert bench.effects == ["acknowledged dropped"]
    await bench.end()


async def test_a_batch_is_decided_when_its_turn_comes(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first")
    bench.accept("second")
    await as_far_as_it_goes()
    bench.policies.append(WANTED)
    bench.stores.may_confirm.set()
    await bench.settled()
    assert bench.effects[-1] == "acknowledged second"
    assert bench.decided_by == [bench.policies[0].version, bench.policies[1].version]


async def test_what_a_batch_needs_is_obtained_first_and_the_other_partitions_go_on() -> None:
    needed = Needed(partition=0)
    bench = ProcessorBench(prerequisites=Prerequisites(needed))
    await asyncio.sleep(0)
    bench.processor.assigned([(TOPIC, 0), (TOPIC, 1)])
    bench.accept_round({"waits": 0, "other": 1})
    await bench.acknowledged("other")
    state = bench.processor.status()
    assert (state.retrying, state.hold_reason, state.on_purpose) == (True, None, {(TOPIC, 0)})
    needed.error = PrerequisiteAwayError("Kafka is away")
    needed.may_answer.set()
    await as_far_as_it_goes()
    state = bench.processor.status()
    assert (state.hold_reason, state.holds) == ("Kafka is away", frozenset({HoldReason.STATE_AWAY}))
    assert state.on_purpose == {(TOPIC, 0)}
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=BOUND_SECONDS)
    assert bench.processor.status().on_purpose == set()
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]
    assert needed.forgotten == [0]
    await bench.end()


async def test_a_batch_that_needs_what_its_assignment_did_not_tell_is_decided_when_it_is_there() -> None:
    needed = Needed(partition=0)
    bench = ProcessorBench(prerequisites=Prerequisites(needed))
    await asyncio.sleep(0)
    bench.accept_round({"waits": 0, "other": 1})
    await bench.acknowledged("other")
    await as_far_as_it_goes()
    assert len(bench.decided_by) == 1, "nothing is decided without what it needs"
    needed.may_answer.set()
    await bench.settled()
    assert bench.effects[-1] == "acknowledged waits"
    await bench.end()


async def test_a_hold_and_a_repeated_write_excuse_their_own_partitions_alone(bench: ProcessorBench) -> None:
    bench.stores.may_confirm.clear()
    bench.stores.takes_at_once = False
    bench.accept("held", partition=0, good=0, bad=20)
    bench.accept("repeated", partition=1)
    bench.accept("slow", partition=2)
    bench.stores.repeating = {1}
    await as_far_as_it_goes()
    assert bench.processor.status().on_purpose == {(TOPIC, 0), (TOPIC, 1)}


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_partition_that_is_given_up_while_its_batch_is_handed_over_writes_nothing_more(
    bench: ProcessorBench,
    is_taken: bool,  # noqa: FBT001
) -> None:
    may_answer, confirmation = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def hand_over(source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        del source_partition, records
        await may_answer.wait()
        return Handed(confirmation, producer=None, batch_bytes=0) if is_taken else None

    bench.stores.hand_over = hand_over  # type: ignore[method-assign]
    bench.accept("first")
    await asyncio.sleep(0)
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0)
    may_answer.set()
    await as_far_as_it_goes()
    assert (bench.effects, confirmation.cancelled()) == ([], is_taken)


async def test_a_batch_whose_write_is_confirmed_while_its_partition_is_given_up_is_not_acknowledged(
    bench: ProcessorBench,
) -> None:
    confirmation = asyncio.get_running_loop().create_future()

    async def hand_over(source_partition: int, records: Sequence[OutboundMessage]) -> Handed:
        del source_partition, records
        return Handed(confirmation, producer=None, batch_bytes=0)

    bench.stores.hand_over = hand_over  # type: ignore[method-assign]
    bench.accept("first")
    await as_far_as_it_goes()
    confirmation.set_result(None)
    given_up = await bench.processor._rounds.queues[TOPIC, 0].close()
    await as_far_as_it_goes()
    assert (given_up, bench.effects) == (1, [])


async def test_a_closed_queue_has_ended_the_task_of_its_first_batch() -> None:
    queue, steps = PartitionQueue((TOPIC, 0)), list[str]()

    async def way() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    queue.go_alone(way(), lambda _: None)
    await as_far_as_it_goes()
    await queue.close()
    steps.append("closed")
    assert steps == ["ended", "closed"]


def test_a_batch_that_is_not_decided_is_never_acknowledged() -> None:
    async def story() -> list[str]:
        async with processing() as bench:
            processor = bench.processor._processor
            with pytest.raises(RuntimeError, match="not decided"):
                processor.acknowledge([Turn(bench.batch("undecided"))])
            return list(bench.effects)

    assert run_virtual(story()) == []
