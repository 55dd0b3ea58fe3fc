"""A member that is not the pipeline's own, in the processor's group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from pipeline.settings.choices import Role
from tests.integration.load import EVENTS_A_CHUNK, Load
from tests.integration.pipeline_processes import Pipeline, running_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

ROUNDS = 4
STAY_SECONDS = 2.0
LAG_SECONDS = 60.0
AHEAD = 5_000
"""The events of the partitions that the guest has taken do not come on; the others must have work meanwhile."""


async def visit(pipeline: Pipeline) -> None:
    """Join the group, read without ever committing, and leave."""
    async with AIOKafkaConsumer(
        pipeline.raw_topic,
        bootstrap_servers=pipeline.broker.bootstrap_servers,
        group_id=pipeline.processor_group,
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
    ) as guest:
        assert guest.assignment(), "it took no partition away"
        clock = asyncio.get_running_loop()
        leave_at = clock.time() + STAY_SECONDS
        while clock.time() < leave_at:
            await guest.getmany(timeout_ms=200)


@pytest.mark.real_only("groups of several members")
async def test_a_foreign_member_that_comes_and_goes_under_load_costs_nothing_and_leaves_no_lag(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        workers = [await pipeline.start(role) for role in Role]
        load, enough = Load(pipeline), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.write_until(enough, ahead=AHEAD))
            await pipeline.accepted(EVENTS_A_CHUNK)
            for _ in range(ROUNDS):
                await visit(pipeline)
            enough.set()
        await pipeline.settled(seconds=LAG_SECONDS)
        assert load.accepted() == load.written
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()
