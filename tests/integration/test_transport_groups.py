"""Several workers of one group: partitions that move with messages in hand, and workers without partitions."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.fakes.stream import FakeStep
from tests.integration.clients import eventually
from tests.integration.stream_workers import RunningWorker, numbers, running_worker, stage, worker_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

SEVERAL_MEMBERS = "groups of several members"


def shared(*workers: RunningWorker, partitions: int) -> bool:
    """Return whether every partition is assigned to exactly one of the workers."""
    return sorted(number for worker in workers for number in worker.partitions) == list(range(partitions))


@pytest.mark.real_only(SEVERAL_MEMBERS)
async def test_partitions_that_move_with_messages_in_hand_commit_the_prefix_and_deliver_the_rest_again(
    broker: Broker, tmp_path: Path
) -> None:
    where, held = stage(broker, 2), FakeStep()
    for partition in range(2):
        where.produce(*numbers(6), partition=partition)
    async with running_worker(where, tmp_path, held, max_poll_records=2) as first:
        await held.until(12)
        for batch in held.batches:
            if batch.messages[0].offset != 2:
                batch.acknowledge()
        async with running_worker(where, tmp_path) as second:
            await eventually(lambda: bool(second.partitions) and shared(first, second, partitions=2))
            assert held.effects == ["revoke [0, 1] 2"]
            (moved,), (kept,) = second.partitions, first.partitions
            await second.step.until(4)
            assert second.step.offsets(moved) == [2, 3, 4, 5]
            await eventually(lambda: where.committed()[moved] == 6)
            # Late acknowledgements of revoked batches do not count, neither here nor for the other worker.
            late = [batch for batch in held.batches if not held.offsets(kept)[6:]]
            for batch in late:
                batch.acknowledge()
            await eventually(lambda: held.offsets(kept)[6:] == [2, 3, 4, 5])
            assert where.committed()[kept] == 2
            held.settle_all()
            await eventually(lambda: where.committed() == {0: 6, 1: 6})


@pytest.mark.real_only(SEVERAL_MEMBERS)
async def test_a_revocation_waits_for_the_step_no_longer_than_its_bound(broker: Broker, tmp_path: Path) -> None:
    where, held = stage(broker, 2), FakeStep()
    held.settles_in_revoke = True
    for partition in range(2):
        where.produce(*numbers(3), partition=partition)
    async with running_worker(where, tmp_path, held) as first:
        await held.until(6)
        async with running_worker(where, tmp_path) as second:
            await eventually(lambda: bool(second.partitions) and shared(first, second, partitions=2))
            await eventually(lambda: where.committed() == {0: 3, 1: 3})
            assert second.step.batches == []
            assert held.offsets(0) == held.offsets(1) == [0, 1, 2]


@pytest.mark.real_only(SEVERAL_MEMBERS)
async def test_workers_that_come_and_go_lose_nothing_and_commit_everything(broker: Broker, tmp_path: Path) -> None:
    partitions, count = 4, 400
    where = stage(broker, partitions)
    steps = [FakeStep(settles_at_once=True) for _ in range(3)]
    async with running_worker(where, tmp_path, steps[0], max_poll_records=20) as first:
        await eventually(lambda: shared(first, partitions=partitions))
        for number, step in enumerate(steps[1:]):
            async with running_worker(where, tmp_path, step, max_poll_records=20) as guest:
                run = numbers(count // 4, start=number * count // 4)
                await asyncio.to_thread(where.produce, *run, partition=number)
                await eventually(lambda guest=guest: bool(guest.partitions))  # type: ignore[misc] # bound to this round
                await asyncio.to_thread(where.produce, *run, partition=number + 2)
        await eventually(lambda: where.committed() == dict.fromkeys(range(partitions), count // 4))
    seen = Counter(
        (batch.partition, message.offset) for step in steps for batch in step.batches for message in batch.messages
    )
    assert set(seen) == {(number, offset) for number in range(partitions) for offset in range(count // 4)}


@pytest.mark.real_only(SEVERAL_MEMBERS)
async def test_a_spare_worker_outlasts_the_poll_interval_and_takes_over_from_one_that_was_killed(
    broker: Broker, tmp_path: Path
) -> None:
    where = stage(broker)
    where.produce(*numbers(3))
    # Kafka's round robin sorts by member id, which starts with the name: the first worker gets the only partition.
    async with worker_process(where, tmp_path, "keep", name="first") as killed:
        await killed.answers("/metrics", 200, "onesignal_pipeline_messages_in_hand 3.0")
        async with running_worker(where, tmp_path, name="second", max_poll_interval_seconds=1.0) as spare:
            await eventually(lambda: spare.is_ready)
            with pytest.raises(TimeoutError):
                await spare.step.until(1, within_seconds=1.5)
            assert spare.partitions == []
            killed.process.kill()
            await spare.step.until(3)
            assert spare.step.offsets() == [0, 1, 2]
            await eventually(lambda: where.committed() == {0: 3})


@pytest.mark.real_only("the embedded broker takes any session timeout")
async def test_a_group_that_the_broker_does_not_let_us_join_ends_the_worker_and_says_why(
    broker: Broker, tmp_path: Path
) -> None:
    where = stage(broker)
    with capture_logs() as logs:
        async with running_worker(where, tmp_path, session_timeout_seconds=4_000.0) as worker:
            assert await worker.ended() == 1
    said = [line["error"] for line in logs if line["log_level"] == "error"]
    assert any("InvalidSessionTimeout" in text for text in said), said
