"""A foreign client joins the processor's group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocol

from pipeline.settings.choices import Role
from tests.integration.clients import eventually
from tests.integration.load import EVENTS_A_CHUNK, Load
from tests.integration.pipeline_processes import SEGMENT_ROLES, Pipeline, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka.cluster import ClusterMetadata
    from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

    from tests.integration.brokers import Broker

ROUNDS = 4
STAY_SECONDS = 2.0
LAG_SECONDS = 60.0
STRANGER = "a-stranger"
AHEAD = 5_000
"""Events of the guest's partitions are not processed; the other partitions need enough events meanwhile."""


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
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
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


class StrangeAssignor(RoundRobinPartitionAssignor):  # type: ignore[misc] # aiokafka has no types
    """Sends invalid bytes instead of a subscription, under the name of the workers' assignor."""

    @classmethod
    def metadata(cls, topics: object) -> bytes:
        del topics
        return b"\x00\x01\x00\x00\x00\x01\x00\x03\xff\xfe\xfd"


def stranger(pipeline: Pipeline, assignor: type[AbstractPartitionAssignor]) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        pipeline.raw_topic,
        bootstrap_servers=pipeline.broker.bootstrap_servers,
        client_id=STRANGER,
        group_id=pipeline.processor_group,
        partition_assignment_strategy=[assignor],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
    )


async def ends_with_its_name(pipeline: Pipeline, assignor: type[AbstractPartitionAssignor]) -> str:
    """Start a worker beside a stranger; return its log, which gives the stranger as the reason for its end."""
    first = await pipeline.start(Role.PROCESSOR)
    await first.said("/readyz", "ready")
    assert await first.stop() == 0
    async with stranger(pipeline, assignor):
        worker = await pipeline.start(Role.PROCESSOR)
        assert await worker.ended() == 1
    log = worker.log.read_text()
    assert f"{STRANGER} at " in log
    assert f"the consumer group {pipeline.processor_group} cannot be used" in log
    assert "Traceback" not in log
    return log


@pytest.mark.real_only("groups of several members")
async def test_a_member_of_another_protocol_is_named_to_the_worker_that_cannot_join(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        await ends_with_its_name(pipeline, RangePartitionAssignor)


@pytest.mark.real_only("groups of several members")
async def test_a_member_whose_subscription_nobody_can_read_gets_nothing_and_stops_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        worker, _ = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await worker.said("/readyz", '"ok": true')
        guest = stranger(pipeline, StrangeAssignor)
        joining = asyncio.create_task(guest.start())
        try:
            told = "group members with unreadable subscriptions"
            await eventually(lambda: told in worker.log.read_text(), within_seconds=60)
            await write(pipeline, [click(number, f"u-{number}") for number in range(50)])
            await pipeline.accepted(50)
            log = worker.log.read_text()
            assert "a-stranger" in log
            assert "Traceback" not in log
        finally:
            joining.cancel()
            await asyncio.wait({joining})
            await guest.stop()
        assert await worker.stop() == 0


class StrangeLeader(RoundRobinPartitionAssignor):  # type: ignore[misc] # aiokafka has no types
    """Sends invalid bytes as the other members' assignments, under the name of the workers' assignor."""

    given = b"\xff" * 40

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: dict[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment | bytes]:
        found = super().assign(cluster, members)
        return {member: own if member.startswith(STRANGER) else cls.given for member, own in found.items()}


class LeaderOfAnotherTopic(StrangeLeader):
    """Assigns a topic to the other members that they did not subscribe to."""

    given = ConsumerProtocol.ASSIGNMENT(0, [("somebody@example.org", [0])], b"").encode()


@pytest.mark.real_only("groups of several members")
@pytest.mark.parametrize("leader", [StrangeLeader, LeaderOfAnotherTopic])
async def test_a_member_that_leads_the_group_and_assigns_what_nobody_can_use_is_named(
    broker: Broker, tmp_path: Path, leader: type[StrangeLeader]
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        log = await ends_with_its_name(pipeline, leader)
        assert "example.org" not in log
