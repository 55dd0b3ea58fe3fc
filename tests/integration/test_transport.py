"""The batch transport on a broker: fetches, holds, commits and revocations of one worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from pipeline.local.broker import Fault, Request
from tests.fakes.stream import FakeStep
from tests.integration.brokers import Capability
from tests.integration.clients import RawMessage, eventually, produce, read_topic, watermarks
from tests.integration.stream_workers import Stage, numbers, running_worker, stage

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.core.messages import MessageBatch
    from tests.integration.brokers import Broker

WRITTEN = 42
"""The number of messages in the compacted topic."""
SEGMENT_MS, APART_MS = 100, 1_000
COMPACTION_SECONDS = 60


async def test_every_message_reaches_the_step_once_and_in_order_and_is_committed(
    broker: Broker, tmp_path: Path
) -> None:
    where = stage(broker, 3)
    for partition in range(3):
        where.produce(*numbers(500), partition=partition)
    async with running_worker(where, tmp_path, max_poll_records=70) as worker:
        await worker.step.until(1_500)
        await eventually(lambda: where.committed() == {0: 500, 1: 500, 2: 500})
        assert [worker.step.offsets(partition) for partition in range(3)] == [list(range(500))] * 3
        assert max(len(batch.messages) for batch in worker.step.batches) <= 70


async def test_the_first_position_of_a_group_is_committed_before_anything_is_settled(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker, 2), FakeStep()
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step):
        await eventually(lambda: where.committed() == {0: 0, 1: 0})


async def test_what_is_acknowledged_out_of_order_is_committed_as_the_longest_prefix(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(6))
    async with running_worker(where, tmp_path, step, max_poll_records=2):
        await step.until(6)
        first, second, third = step.batches
        third.acknowledge()
        second.acknowledge()
        await eventually(lambda: where.committed() == {0: 0})
        first.acknowledge()
        await eventually(lambda: where.committed() == {0: 6})


async def test_a_full_partition_waits_while_the_others_go_on(broker: Broker, tmp_path: Path) -> None:
    class KeepsPartition0(FakeStep):
        def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
            super().accept(*batches, waited_seconds=waited_seconds)
            for batch in batches:
                if batch.partition:
                    batch.acknowledge()

    where, step = stage(broker, 2), KeepsPartition0()
    where.produce(*numbers(100))
    async with running_worker(where, tmp_path, step, max_poll_records=5, max_messages_in_hand=10) as worker:
        await eventually(lambda: worker.in_hand >= 10)
        where.produce(*numbers(100), partition=1)
        await eventually(lambda: where.committed() == {0: 0, 1: 100})
        assert len(step.offsets(0)) <= 15
        kept = [batch for batch in step.batches if batch.partition == 0]
        for batch in kept:  # the first may contain one message: the client's own batches need not be full
            batch.acknowledge()
        await eventually(lambda: len(step.offsets(0)) > sum(len(batch.messages) for batch in kept))


async def test_with_a_step_that_never_settles_memory_is_bound_and_fetching_stops(
    broker: Broker, tmp_path: Path
) -> None:
    partitions, most_in_hand, poll_records = 3, 20, 8
    where, step = stage(broker, partitions), FakeStep()
    for partition in range(partitions):
        where.produce(*numbers(300), partition=partition)
    bound = partitions * (most_in_hand + poll_records)
    async with running_worker(
        where, tmp_path, step, max_poll_records=poll_records, max_messages_in_hand=most_in_hand
    ) as worker:
        await eventually(lambda: all(len(step.offsets(each)) >= most_in_hand for each in range(partitions)))
        held = worker.in_hand
        with pytest.raises(TimeoutError):
            await step.until(held + 1, within_seconds=0.5)
        assert worker.in_hand == held <= bound


async def test_a_commit_refused_while_the_group_rebalances_is_made_later(broker: Broker, tmp_path: Path) -> None:
    if broker.embedded is None:
        pytest.skip("a real broker cannot be told to refuse")
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path, step):
        await step.until(5)
        await eventually(lambda: where.committed() == {0: 0})
        broker.embedded.fail_next(Request.OFFSET_COMMIT, [Fault.REBALANCE_IN_PROGRESS])
        step.settle_all()
        # The refusal makes aiokafka rejoin; the settled messages are read and settled again, and then committed.
        step.settles_at_once = True
        await eventually(lambda: where.committed() == {0: 5})


async def test_a_commit_that_meets_a_passing_fault_is_made_again(broker: Broker, tmp_path: Path) -> None:
    if broker.embedded is None:
        pytest.skip("a real broker cannot be told to fail")
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path, step):
        await step.until(5)
        broker.embedded.fail_next(Request.OFFSET_COMMIT, [Fault.NOT_COORDINATOR, Fault.DISCONNECT])
        step.settle_all()
        await eventually(lambda: where.committed() == {0: 5})
        assert step.offsets() == list(range(5))


async def test_a_member_that_the_broker_has_forgotten_joins_again_and_loses_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.embedded is None:
        pytest.skip("a real broker cannot be told to forget a member")
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path, step):
        await step.until(5)
        late = step.batches[0]
        broker.embedded.fail_next(Request.HEARTBEAT, [Fault.UNKNOWN_MEMBER_ID])
        await step.until(10)
        assert step.effects[0] == "revoke [0] 2"
        late.acknowledge()
        assert step.offsets() == [*range(5), *range(5)]
        assert where.committed() == {0: 0}
        step.settle_all()
        await eventually(lambda: where.committed() == {0: 5})


async def test_an_outage_of_the_broker_is_waited_for(broker: Broker, tmp_path: Path) -> None:
    if Capability.OUTAGE not in broker.capabilities:
        pytest.skip("the cluster of KAFKA_BOOTSTRAP_SERVERS is not ours to stop")
    where = stage(broker)
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path) as worker:
        await eventually(lambda: where.committed() == {0: 5})
        with broker.outage(), pytest.raises(TimeoutError):
            await worker.step.until(6, within_seconds=1.0)
        where.produce(*numbers(5, start=5))
        await worker.step.until(10)
        await eventually(lambda: where.committed() == {0: 10})


async def test_a_hold_longer_than_the_poll_interval_keeps_the_membership_and_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(10))
    async with running_worker(
        where, tmp_path, step, max_poll_interval_seconds=1.0, max_poll_records=2, max_messages_in_hand=2
    ):
        await step.until(2)
        with pytest.raises(TimeoutError):
            await step.until(3, within_seconds=2.5)
        assert step.effects == []
        step.settles_at_once = True
        step.settle_all()
        await step.until(10)
        assert step.offsets() == list(range(10))
        await eventually(lambda: where.committed() == {0: 10})


async def read_half_and_lose(where: Stage, tmp_path: Path, lose_before: int) -> None:
    """Write ten messages of which the first five are committed, then delete the log up to an offset."""
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path) as worker:
        await worker.step.until(5)
        await eventually(lambda: where.committed() == {0: 5})
        assert await worker.stop() == 0
    for value in numbers(5, start=5):
        where.produce(value)
    where.broker.delete_records(where.topic, 0, before_offset=lose_before)


async def test_a_committed_offset_below_the_log_start_ends_the_worker_and_tells_how_many_messages_are_lost(
    broker: Broker, tmp_path: Path
) -> None:
    where = stage(broker)
    await read_half_and_lose(where, tmp_path, lose_before=8)
    with capture_logs() as logs:
        async with running_worker(where, tmp_path) as worker:
            assert await worker.ended() == 1
            assert not worker.is_ready
            assert worker.step.batches == []
    (said,) = (line["error"] for line in logs if line["log_level"] == "error")
    assert f"{where.topic}[0]: committed 5, the log holds 8 to 10, 3 messages lost" in said
    assert where.committed() == {0: 5}


async def test_a_log_that_starts_at_the_committed_offset_has_lost_nothing(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    await read_half_and_lose(where, tmp_path, lose_before=5)
    async with running_worker(where, tmp_path) as worker:
        await worker.step.until(5)
        assert worker.step.offsets() == [5, 6, 7, 8, 9]


async def test_a_position_that_falls_out_of_the_log_during_the_run_ends_the_worker(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(b"0")
    with capture_logs() as logs:
        async with running_worker(where, tmp_path, step, max_messages_in_hand=1, fetch_max_bytes=80) as worker:
            await step.until(1)
            for value in numbers(11, start=1):
                where.produce(value)
            broker.delete_records(where.topic, 0, before_offset=11)
            step.settles_at_once = True
            step.settle_all()
            assert await worker.ended() == 1
    (said,) = (line["error"] for line in logs if line["log_level"] == "error")
    assert "the log holds 11 to 12" in said
    assert "messages lost" in said


async def test_an_agent_whose_step_raises_ends_the_worker_and_nothing_is_committed(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    step.accept_error = RuntimeError("the work raises")
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path, step) as worker:
        assert await worker.ended() == 1
    assert where.committed() == {0: 0}


async def test_a_read_of_several_small_batches_is_committed_to_the_end_of_the_log(
    broker: Broker, tmp_path: Path
) -> None:
    where = stage(broker, 2)
    for value in numbers(20):
        where.produce(value)
    async with running_worker(where, tmp_path):
        ends = {number: end for number, (_, end) in watermarks(broker.bootstrap_servers, where.topic).items()}
        await eventually(lambda: where.committed() == ends)


def transact(where: Stage, values: list[bytes], *, commit: bool) -> None:
    """Write messages in one transaction, and commit or abort it."""
    producer = Producer(
        {"bootstrap.servers": where.broker.bootstrap_servers, "transactional.id": where.broker.unique("tx")}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(where.topic, value=value, partition=0)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.flush(20)
        producer.abort_transaction(20)


@pytest.mark.real_only("transactions")
async def test_aborted_messages_never_reach_the_step_and_leave_no_lag_behind(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(2))
    transact(where, [b"aborted"] * 3, commit=False)
    transact(where, numbers(2, start=2), commit=True)
    transact(where, [b"aborted"] * 3, commit=False)
    _, end = watermarks(broker.bootstrap_servers, where.topic)[0]
    async with running_worker(where, tmp_path) as worker:
        await worker.step.until(4)
        await eventually(lambda: where.committed() == {0: end})
        assert worker.step.values() == numbers(4)
        await eventually(lambda: worker.lag == 0)


@pytest.mark.real_only("transactions")
async def test_an_open_transaction_is_waited_for_and_is_no_lag(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(2))
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": broker.unique("tx")})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(where.topic, value=b"2", partition=0)
    producer.flush(20)
    async with running_worker(where, tmp_path) as worker:
        await eventually(lambda: where.committed() == {0: 2})
        await eventually(lambda: worker.lag == 0)
        producer.commit_transaction(20)
        await worker.step.until(3)
        assert worker.step.values() == numbers(3)


@pytest.mark.real_only("compaction")
async def test_gaps_of_compaction_do_not_stop_the_commits(broker: Broker, tmp_path: Path) -> None:
    where = stage(
        broker,
        cleanup_policy="compact",
        segment_ms=SEGMENT_MS,
        min_cleanable_dirty_ratio=0.01,
        max_compaction_lag_ms=100,
        min_compaction_lag_ms=0,
    )
    await asyncio.to_thread(compact, where)
    step = FakeStep()
    async with running_worker(where, tmp_path, step, max_poll_records=2) as worker:
        await eventually(lambda: bool(step.offsets()) and step.offsets()[-1] == WRITTEN - 1)
        offsets = step.offsets()
        assert offsets != list(range(offsets[0], offsets[-1] + 1)), "the log was not compacted"
        for batch in reversed(step.batches):
            batch.acknowledge()
        await eventually(lambda: where.committed() == {0: WRITTEN})
        await eventually(lambda: worker.lag == 0)


def compact(where: Stage) -> None:
    """Write one key repeatedly between others, and wait until the broker has removed some of its messages.

    Only closed segments are compacted. A segment is closed by a message whose timestamp is `segment_ms` after that of
    the segment's first message. So each message has an explicit timestamp, and the writing speed does not matter.
    """
    servers = where.broker.bootstrap_servers
    keys = [b"again" if number % 2 else b"k-%d" % number for number in range(WRITTEN - 2)]
    first = time.time_ns() // 1_000_000 - WRITTEN * APART_MS
    for number, key in enumerate([*keys, b"last-0", b"last-1"]):
        message = RawMessage(key=key, value=b"x", partition=0, timestamp_milliseconds=first + number * APART_MS)
        produce(servers, where.topic, [message])
    deadline = time.monotonic() + COMPACTION_SECONDS
    while len(read_topic(servers, where.topic)) == WRITTEN:
        assert time.monotonic() < deadline, f"the broker did not compact the topic within {COMPACTION_SECONDS} s"
