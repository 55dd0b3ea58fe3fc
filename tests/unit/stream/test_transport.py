from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import ConsumerStoppedError, GroupAuthorizationFailedError, IllegalStateError
from faust.transport.drivers.aiokafka import Consumer

from pipeline.kafka.groups import KnownSource
from pipeline.runtime.health import Undone
from pipeline.settings.worker_section import LAST_COMMIT_SECONDS
from pipeline.stream.environment import check_environment
from pipeline.stream.errors import OffsetsVanishedError, WrongEnvironmentError
from pipeline.stream.hidden import LogEnds
from pipeline.stream.lag import Waiting
from pipeline.stream.ledger import Position, TopicPartition
from pipeline.stream.transport import BatchConsumer, Round
from tests.fakes.stream import BOUND_SECONDS, TransportBench, messages, tp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

START = Position(offset=0, committed=True)


@pytest.fixture
async def bench() -> AsyncIterator[TransportBench]:
    bench = TransportBench(max_messages_in_hand=4)
    yield bench
    assert bench.crashes == []


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=BOUND_SECONDS)
    assert task.done()


async def test_a_fetched_run_reaches_the_step_as_one_batch(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0, 1, 2)})
    await bench.step.until(3)
    assert [len(batch.messages) for batch in bench.step.batches] == [3]
    assert bench.consumer.ledger.messages_in_hand() == 3
    await end(draining)


async def test_an_empty_fetch_delivers_nothing_and_the_next_one_is_asked_for(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({})
    await bench.thread.until_asked(2)
    assert bench.step.batches == []
    await end(draining)


async def test_an_empty_fetch_that_passed_over_markers_settles_them(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({}, positions={tp(): 3})
    await bench.thread.until_asked(2)
    assert await bench.consumer.commit()
    assert bench.thread.stored == [{tp(): 3}]
    await end(draining)


async def test_nothing_is_fetched_before_the_partitions_have_a_position(bench: TransportBench) -> None:
    bench.consumer._set_active_tps({tp()})
    draining = bench.drain()
    bench.resume()
    await asyncio.wait({draining}, timeout=0.1)
    assert bench.thread.asked == []
    await end(draining)


async def test_a_partition_with_enough_in_hand_is_not_fetched_while_the_others_are(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    draining = bench.drain()
    bench.thread.answer({tp(0): messages(0, 1, 2, 3), tp(1): messages(0, partition=1)})
    await bench.step.until(5)
    await bench.thread.until_asked(2)
    assert bench.thread.asked == [{tp(0), tp(1)}, {tp(1)}]
    assert bench.consumer.full_partitions() == 1
    bench.step.batches[0].acknowledge()
    bench.thread.answer({})
    await bench.thread.until_asked(3)
    assert bench.thread.asked[-1] == {tp(0), tp(1)}
    await end(draining)


async def test_a_fetch_ends_soon_while_a_partition_waits_for_room(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    draining = bench.drain()
    bench.thread.answer({tp(0): messages(0, 1, 2, 3), tp(1): messages(0, partition=1)})
    await bench.thread.until_asked(2)
    patient, short = bench.thread.timeouts
    assert patient >= 0.5
    assert 0 < short <= 0.1
    await end(draining)


@pytest.mark.parametrize("max_bytes_in_hand", [3, 4])
async def test_a_partition_with_enough_bytes_in_hand_is_not_fetched_either(
    bench: TransportBench, max_bytes_in_hand: int
) -> None:
    bench.consumer.options = replace(bench.options, max_bytes_in_hand=max_bytes_in_hand)
    await bench.join({tp(0): START, tp(1): START})
    assert bench.consumer.full_partitions() == 0
    draining = bench.drain()
    bench.thread.answer({tp(0): messages(0, 1), tp(1): messages(0, partition=1)})
    await bench.step.until(3)
    await bench.thread.until_asked(2)
    assert bench.thread.asked == [{tp(0), tp(1)}, {tp(1)}]
    assert bench.consumer.full_partitions() == 1
    await end(draining)


async def test_fetching_stops_when_every_partition_has_enough_in_hand(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    draining = bench.drain()
    bench.thread.answer({tp(0): messages(0, 1, 2, 3, 4), tp(1): messages(0, 1, 2, 3, partition=1)})
    await bench.step.until(9)
    await asyncio.wait({draining}, timeout=0.2)
    assert len(bench.thread.asked) == 1
    bench.step.batches[1].acknowledge()
    await bench.thread.until_asked(2)
    assert bench.thread.asked[1] == {tp(1)}
    await end(draining)


async def test_a_batch_acknowledged_out_of_order_makes_no_room(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0, 1)})
    bench.thread.answer({tp(): messages(2, 3)})
    await bench.step.until(4)
    bench.step.batches[1].acknowledge()
    await asyncio.wait({draining}, timeout=0.2)
    assert len(bench.thread.asked) == 2
    bench.step.batches[0].acknowledge()
    await bench.thread.until_asked(3)
    await end(draining)


async def test_records_fetched_before_a_repositioning_are_thrown_away(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    before = bench.thread.epoch
    await bench.revoke([tp()])
    await bench.join({tp(): START})
    bench.thread.answer({tp(): messages(0, 1, 2)}, epoch=before)
    bench.thread.answer({tp(): messages(0, 1)})
    await bench.step.until(2)
    assert bench.step.offsets() == [0, 1]
    await end(draining)


async def test_records_of_a_positioning_that_is_not_known_are_thrown_away(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0, 1, 2)}, epoch=bench.thread.epoch + 1)
    bench.thread.answer({tp(): messages(0, 1)})
    await bench.step.until(2)
    assert bench.step.offsets() == [0, 1]
    await end(draining)


async def test_records_fetched_before_everything_was_given_up_are_thrown_away(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    await bench.revoke([tp()])
    bench.thread.answer({tp(): messages(0)})
    bench.resume()  # with nothing assigned any more
    await asyncio.wait({draining}, timeout=0.05)
    assert not draining.done()
    assert bench.step.batches == []
    await end(draining)


async def test_records_fetched_after_the_seek_and_before_it_is_told_are_not_lost(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    await bench.revoke([tp()])
    bench.thread.may_reposition.clear()
    bench.thread.repositioned.clear()
    joining = asyncio.create_task(bench.join({tp(): START}))
    await bench.thread.repositioned.wait()
    bench.thread.answer({tp(): messages(0, 1, 2)})
    await asyncio.wait({joining}, timeout=0.05)
    bench.thread.may_reposition.set()
    await joining
    await bench.step.until(3)
    assert bench.step.offsets() == [0, 1, 2]
    await end(draining)


async def test_a_repositioning_that_ends_after_a_revocation_counts_for_nothing(bench: TransportBench) -> None:
    bench.thread.positions = {tp(): START}
    bench.thread.may_reposition.clear()
    seeking = asyncio.create_task(bench.consumer.perform_seek())
    await bench.thread.repositioned.wait()
    await bench.revoke([tp()])
    bench.thread.may_reposition.set()
    with pytest.raises(IllegalStateError):
        await seeking
    assert bench.consumer.ledger.partitions() == frozenset()


async def test_a_rebalance_in_the_middle_of_a_delivery_gives_the_rest_of_the_fetch_up(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    draining = bench.drain()
    bench.may_deliver.clear()
    bench.thread.answer({tp(0): messages(0), tp(1): messages(0, partition=1)})
    await bench.delivering.wait()
    await bench.revoke([tp(0), tp(1)])
    await bench.join({tp(0): START, tp(1): START})
    bench.may_deliver.set()
    bench.thread.answer({tp(0): messages(0, 1), tp(1): messages(0, 1, partition=1)})
    await bench.step.until(4)
    assert (bench.step.offsets(0), bench.step.offsets(1)) == ([0, 1], [0, 1])
    await end(draining)


async def test_a_fault_of_the_step_ends_the_fetcher_with_it(bench: TransportBench) -> None:
    bench.step.accept_error = RuntimeError("a fault of the work")
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0)})
    with pytest.raises(RuntimeError, match="a fault of the work"):
        await asyncio.wait_for(draining, BOUND_SECONDS)


async def test_a_fault_of_a_delivery_that_took_time_ends_the_fetcher_too(bench: TransportBench) -> None:
    bench.step.accept_error = RuntimeError("a fault of the work")
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.may_deliver.clear()
    bench.thread.answer({tp(): messages(0)})
    await bench.delivering.wait()
    await asyncio.sleep(0)
    bench.may_deliver.set()
    with pytest.raises(RuntimeError, match="a fault of the work"):
        await asyncio.wait_for(draining, BOUND_SECONDS)


async def test_nothing_more_is_fetched_while_a_delivery_takes_time(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.may_deliver.clear()
    bench.thread.answer({tp(): messages(0)})
    bench.thread.answer({tp(): messages(1)})
    await bench.delivering.wait()
    await asyncio.wait({draining}, timeout=0.05)
    assert len(bench.thread.asked) == 1
    bench.may_deliver.set()
    await bench.step.until(2)
    assert bench.step.offsets() == [0, 1]
    await end(draining)


async def test_a_delivery_in_which_its_partitions_are_given_up_is_no_fault(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.may_deliver.clear()
    bench.thread.answer({tp(): messages(0)})
    await bench.delivering.wait()
    await bench.revoke([tp()])
    await asyncio.wait({draining}, timeout=0.05)
    assert not draining.done()
    await end(draining)


async def test_a_revocation_stops_what_flows_and_empties_the_queues_of_the_agents(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    queue = bench.app.FlowControlQueue(maxsize=5, clear_on_resume=True)
    await queue.put("an event that no agent has taken")
    await bench.revoke([tp()])
    assert not bench.consumer.flow_active
    assert not bench.app.flow_control.is_active()
    assert queue.empty()


async def test_the_step_knows_its_partitions_before_their_first_batch(bench: TransportBench) -> None:
    await bench.join({tp(4): START, tp(2): Position(offset=0, committed=False)})
    assert bench.step.partitions == [2, 4]


async def test_an_acknowledgement_after_revocation_and_reassignment_commits_nothing(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0, 1, 2, 3)})
    await bench.step.until(4)
    await bench.revoke([tp()])
    await bench.join({tp(): START})
    bench.thread.answer({tp(): messages(0, 1)})
    await bench.step.until(6)
    bench.step.batches[0].acknowledge()
    assert not await bench.consumer.commit()
    bench.step.batches[1].acknowledge()
    assert await bench.consumer.commit()
    assert bench.thread.stored == [{tp(): 2}]
    await end(draining)


async def test_a_revocation_settles_then_commits_the_prefix_then_lets_go(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0, 1)})
    await bench.step.until(2)
    bench.step.settles_in_revoke = True
    await bench.revoke([tp()])
    assert bench.step.effects == ["revoke [0] 5"]
    assert bench.thread.stored == [{tp(): 2}]
    assert bench.rebalances == ["revoked [0]"]
    assert bench.consumer.ledger.partitions() == frozenset()
    await end(draining)


async def test_nothing_new_reaches_the_step_while_its_partitions_are_revoked(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    bench.step.may_revoke.clear()
    revoking = asyncio.create_task(bench.revoke([tp()]))
    await bench.step.in_revoke.wait()
    bench.thread.answer({tp(): messages(0)})
    await asyncio.wait({draining}, timeout=0.1)
    bench.step.may_revoke.set()
    await revoking
    assert bench.step.batches == []
    await end(draining)


async def test_a_revocation_does_not_wait_longer_than_its_bound_for_a_commit() -> None:
    bench = TransportBench(revoke_timeout_seconds=0.05)
    await bench.join({tp(): START})
    bench.consumer.ledger.deliver(tp(), messages(0)).acknowledge()
    bench.thread.may_store.clear()
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.revoke([tp()])
    assert bench.rebalances == ["revoked [0]"]
    assert bench.consumer.ledger.partitions() == frozenset()
    assert bench.thread.abandoned == 1, "aiokafka would repeat it in the name of the next generation"


async def test_the_commit_of_a_revocation_is_sent_and_waited_for_where_nothing_else_may_take_time() -> None:
    bench = TransportBench(revoke_timeout_seconds=0)
    await bench.join({tp(): START})
    bench.consumer.ledger.deliver(tp(), messages(0)).acknowledge()
    bench.thread.may_store.clear()
    asyncio.get_running_loop().call_later(0.05, bench.thread.may_store.set)
    await bench.revoke([tp()])
    assert bench.thread.stored == [{tp(): 1}]


@pytest.mark.parametrize(
    ("settling", "left"), [(0.0, 10.0), (7.5, 2.5), (9.75, LAST_COMMIT_SECONDS), (11.0, LAST_COMMIT_SECONDS)]
)
async def test_settling_and_commit_of_a_revocation_have_one_deadline(
    settling: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = TransportBench(revoke_timeout_seconds=10)
    await bench.join({tp(): START})
    now, waits = 100.0, []

    async def settle(_partitions: object) -> None:
        nonlocal now
        now += settling

    async def wait_for(waited: Awaitable[object], seconds: float) -> object:
        waits.append(seconds)
        return await waited

    bench.consumer.options = replace(bench.options, before_revoke=settle)
    monkeypatch.setattr(bench.consumer, "loop", SimpleNamespace(time=lambda: now))
    monkeypatch.setattr("pipeline.stream.transport.asyncio.wait_for", wait_for)
    await bench.revoke([tp()])
    assert waits == [left]


async def test_a_step_that_fails_in_a_revocation_crashes_the_worker_and_the_partitions_are_given_up() -> None:
    bench = TransportBench()
    await bench.join({tp(): START})
    bench.step.revoke_error = RuntimeError("a fault of the work")
    with pytest.raises(RuntimeError, match="a fault of the work"):
        await bench.revoke([tp()])
    assert bench.crashes == [bench.step.revoke_error]
    assert bench.consumer.ledger.partitions() == frozenset()
    assert bench.rebalances == ["revoked [0]"]


async def test_a_commit_refused_for_good_in_a_revocation_crashes_the_worker() -> None:
    bench = TransportBench()
    await bench.join({tp(): START})
    bench.consumer.ledger.deliver(tp(), messages(0)).acknowledge()
    bench.thread.refusals.append(GroupAuthorizationFailedError("group"))
    with pytest.raises(GroupAuthorizationFailedError):
        await bench.revoke([tp()])
    assert [type(crash) for crash in bench.crashes] == [GroupAuthorizationFailedError]


async def test_commits_follow_one_another_and_each_stores_what_is_settled_at_its_time(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    first = bench.consumer.ledger.deliver(tp(), messages(0))
    second = bench.consumer.ledger.deliver(tp(), messages(1))
    first.acknowledge()
    bench.thread.may_store.clear()
    running = asyncio.create_task(bench.consumer.commit())
    await asyncio.wait({running}, timeout=0.02)
    second.acknowledge()
    asked_after = [asyncio.create_task(bench.consumer.commit()) for _ in range(3)]
    bench.thread.may_store.set()
    assert await running
    assert await asyncio.gather(*asked_after) == [True, False, False]
    assert bench.thread.stored == [{tp(): 1}, {tp(): 2}]
    assert bench.thread.most_stores_running == 1
    assert bench.commits == 2


async def test_a_refused_commit_is_not_counted_and_is_made_again(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    bench.consumer.ledger.deliver(tp(), messages(0)).acknowledge()
    bench.thread.refusals.append(False)
    failures: list[str] = []
    bench.consumer.options = replace(bench.options, on_commit_failed=lambda: failures.append("failed"))
    assert not await bench.consumer.commit()
    assert (bench.commits, failures) == (0, ["failed"])
    assert await bench.consumer.commit()
    assert bench.thread.stored == [{tp(): 1}]


async def test_a_commit_that_failed_is_made_again_after_a_while_though_nothing_more_is_settled(
    bench: TransportBench,
) -> None:
    await bench.join({tp(): START})
    bench.consumer.ledger.deliver(tp(), messages(0)).acknowledge()
    bench.thread.refusals.append(False)
    committing = asyncio.create_task(bench.consumer._commit_what_is_settled.fun(bench.consumer))
    await bench.thread.until_stored(1)
    assert bench.thread.stored == [{tp(): 1}]
    await end(committing)


async def test_what_is_settled_is_committed_without_anybody_asking(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    committing = asyncio.create_task(bench.consumer._commit_what_is_settled.fun(bench.consumer))
    for offset in (0, 1):
        bench.consumer.ledger.deliver(tp(), messages(offset)).acknowledge()
        await bench.thread.until_stored(offset + 1)
    assert bench.thread.stored == [{tp(): 1}, {tp(): 2}]
    await end(committing)


def test_a_commit_can_be_called_as_faust_calls_its_own() -> None:
    ours, theirs = (inspect.signature(each.commit).parameters.values() for each in (BatchConsumer, Consumer))
    assert [(each.name, each.default) for each in ours] == [(each.name, each.default) for each in theirs]


async def test_a_commit_of_nothing_asks_nobody(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    bench.thread.may_store.clear()
    assert not await bench.consumer.commit()


async def test_a_first_position_is_committed(bench: TransportBench) -> None:
    await bench.join({tp(): Position(offset=0, committed=False)})
    assert await bench.consumer.commit()
    assert bench.thread.stored == [{tp(): 0}]


async def test_faust_cannot_acknowledge_anything(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    batch = bench.consumer.ledger.deliver(tp(), messages(0))
    message = bench.consumer._message(Round([batch], 0.0))
    bench.consumer.track_message(message)
    assert not bench.consumer.ack(message)
    message.ack(bench.consumer)
    assert not batch.acknowledged
    assert not await bench.consumer.commit()
    assert len(bench.consumer.unacked) == 0


async def test_a_cancelled_fetcher_leaves_the_batches_in_hand_and_ends(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.answer({tp(): messages(0)})
    await bench.step.until(1)
    await bench.thread.until_asked(2)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert bench.consumer.ledger.messages_in_hand() == 1


async def test_a_fetcher_cancelled_while_the_app_stops_ends_quietly(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    bench.app._stopped.set()
    draining.cancel()
    await draining


async def test_a_consumer_closed_under_a_running_fetcher_is_a_fault(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    bench.thread.fail(ConsumerStoppedError())
    with pytest.raises(ConsumerStoppedError):
        await draining


async def test_a_fetcher_told_to_stop_ends_after_its_fetch(bench: TransportBench) -> None:
    await bench.join({tp(): START})
    draining = bench.drain()
    await bench.thread.until_asked()
    bench.fetcher.should_stop = True
    bench.thread.answer({})
    async with asyncio.timeout(BOUND_SECONDS):
        await draining


async def test_lag_counts_what_is_not_committed_over_the_assigned_partitions(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): Position(offset=5, committed=True)})
    bench.thread.readable_ends = {tp(0): 10, tp(1): 6}
    assert bench.consumer.lag() == 11
    bench.consumer.ledger.deliver(tp(0), messages(0, 1, 2)).acknowledge()
    assert bench.consumer.lag() == 11
    await bench.consumer.commit()
    assert bench.consumer.lag() == 8


async def test_lag_leaves_out_partitions_whose_end_is_unknown_or_that_are_gone(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START, tp(2): START})
    bench.thread.readable_ends = {tp(0): 9, tp(1): None, tp(2): 3}
    del bench.thread.positions[tp(0)]
    assert bench.consumer.lag() == 3


async def test_what_waits_is_told_with_the_time_of_the_oldest_message_in_hand(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    bench.thread.readable_ends = {tp(0): 10, tp(1): 6}
    bench.consumer.ledger.deliver(tp(0), messages(0, 1, 2))
    assert bench.consumer.waiting() == [Waiting(0, 10, messages(0)[0].timestamp), Waiting(1, 6, None)]


async def test_what_is_undone_is_told_by_partition_with_what_waits_there(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): Position(offset=5, committed=True), tp(2): START})
    bench.thread.readable_ends = {tp(0): 10, tp(1): 3}
    del bench.thread.positions[tp(2)]
    assert bench.consumer.undone() == {
        tp(0): Undone(0, 10),
        tp(1): Undone(5, 0),
        tp(2): Undone(0, 0),
    }


async def test_a_round_tells_faust_the_partition_and_last_offset_of_its_first_batch(bench: TransportBench) -> None:
    await bench.join({tp(3): START, tp(4): START})
    batches = [bench.consumer.ledger.deliver(tp(each), messages(4, 8, partition=each)) for each in (3, 4)]
    fetched = Round(batches, 0.25)
    message = bench.consumer._message(fetched)
    assert (TopicPartition(*message.tp), message.offset, message.value) == (tp(3), 8, fetched)
    assert (message.topic, message.partition, message.timestamp) == (*tp(3), 1_700_000_000.0)


async def test_what_one_fetch_brought_is_one_event_with_a_batch_of_each_partition(bench: TransportBench) -> None:
    await bench.join({tp(each): START for each in range(3)})
    draining = bench.drain()
    bench.thread.answer({tp(0): messages(0, 1), tp(2): messages(0, partition=2)}, waited_seconds=0.125)
    await bench.step.until(3)
    assert bench.step.rounds == [(2, 0.125)]
    await end(draining)


def test_without_the_compiled_modules_of_faust_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    check_environment()
    monkeypatch.setattr("faust.streams._CStreamIterator", None)
    with pytest.raises(WrongEnvironmentError, match="compiled modules"):
        check_environment()


def test_the_compiled_modules_of_faust_can_be_missing() -> None:
    program = (
        "from pipeline.stream.errors import WrongEnvironmentError\n"
        "from pipeline.stream.environment import check_environment\n"
        "try: check_environment()\n"
        "except WrongEnvironmentError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NO_CYTHON": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "compiled modules" in run.stdout


async def test_partitions_that_were_added_are_left_alone_and_their_start_is_committed() -> None:
    bench = TransportBench(source=KnownSource(partitions=1, begun=frozenset({0})))
    added = Position(offset=0, committed=False)
    await bench.join({tp(0): START, tp(1): added, tp(2): added})
    draining = bench.drain()
    await bench.thread.until_asked()
    assert bench.thread.asked == [{tp(0)}]
    assert await bench.consumer.commit()
    assert bench.thread.stored == [{tp(1): 0, tp(2): 0}]
    await end(draining)


async def test_a_partition_that_was_begun_and_has_no_offset_any_more_is_not_read() -> None:
    bench = TransportBench(source=KnownSource(partitions=2, begun=frozenset({0, 1})))
    with pytest.raises(OffsetsVanishedError, match=r"gone for onesignal\.events\[1\]\. "):
        await bench.join({tp(0): START, tp(1): Position(offset=0, committed=False)})
    assert not await bench.consumer.commit()


async def test_the_partitions_for_which_kafka_does_not_answer_are_found(bench: TransportBench) -> None:
    bench.thread.away = {tp(1)}
    assert await bench.consumer.without_answer({tp(0), tp(1)}, BOUND_SECONDS) == [tp(1)]
    assert await bench.consumer.without_answer({tp(0)}, BOUND_SECONDS) == []


async def test_ends_that_are_asked_for_count_where_fetches_tell_less(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START, tp(2): START})
    bench.thread.readable_ends = {tp(0): 7, tp(1): None, tp(2): 9}
    bench.thread.ends_by_question = {tp(0): 9, tp(1): 4, tp(2): 3}
    assert [each.messages for each in bench.consumer.waiting()] == [7, 0, 9]
    await bench.consumer.look_at_ends(BOUND_SECONDS)
    assert [each.messages for each in bench.consumer.waiting()] == [9, 4, 9]
    bench.thread.ends_by_question = {}
    await bench.consumer.look_at_ends(BOUND_SECONDS)
    assert [each.messages for each in bench.consumer.waiting()] == [9, 4, 9], "no answer changes nothing"


async def test_a_transaction_that_has_ended_hides_nothing_of_a_partition_that_is_not_fetched(
    bench: TransportBench,
) -> None:
    await bench.join({tp(0): START, tp(1): START, tp(2): START})
    bench.thread.both_ends = {tp(0): (5, 9), tp(1): (5, 9), tp(2): (0, 9)}
    bench.thread.ends_by_question = {tp(0): 12, tp(1): 5}
    await bench.consumer.look_at_ends(BOUND_SECONDS)
    assert set(bench.consumer.log_ends()) == {LogEnds(0, 12, 9), LogEnds(1, 5, 9), LogEnds(2, 0, 9)}


async def test_what_is_settled_waits_for_a_coordinator_that_takes_no_commit(bench: TransportBench) -> None:
    await bench.join({tp(0): START, tp(1): START})
    draining = bench.drain()
    bench.thread.may_store.clear()
    bench.thread.answer({tp(0): messages(0, 1), tp(1): messages(0, partition=1)})
    await bench.step.until(3)
    bench.step.batches[0].acknowledge()
    assert set(bench.consumer.uncommitted()) == set()
    bench.thread.commits_wait = True
    assert set(bench.consumer.uncommitted()) == {tp(0)}
    await end(draining)
