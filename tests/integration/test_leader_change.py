"""Nodes of a three-node Kafka stop and start again while the pipeline runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.brokers import Broker, BrokerKind
from tests.integration.clients import eventually
from tests.integration.load import EVENTS_A_CHUNK, Load
from tests.integration.pipeline_processes import PARTITIONS, SEGMENT_ROLES, Pipeline, running_pipeline
from tests.kafka_cluster import NODES, KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.cluster("three nodes of Kafka")

AHEAD = 1_000
AFTER_THE_CHANGE = 2_000
IN_HAND, POLL, REQUEST = 100, 50, 50
MOST_DUPLICATES_A_CHANGE = len(SEGMENT_ROLES) * PARTITIONS * (IN_HAND + POLL + REQUEST)
"""What processor and sink may have in hand if their coordinator is lost: it is read and sent again."""
NOBODY = -1


async def lose_leader_under_load(
    cluster: KafkaCluster, pipeline: Pipeline, load: Load, *, topic: str, by: Callable[[int], None]
) -> None:
    """Stop the leader of a partition during writes; return when it is back and in sync."""
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.write_until(enough, ahead=AHEAD))
        await pipeline.accepted(load.events + EVENTS_A_CHUNK)
        gone = await asyncio.to_thread(cluster.leader, topic, 0)
        await asyncio.to_thread(by, gone)
        await eventually(lambda: cluster.leader(topic, 0) not in {gone, NOBODY})
        await pipeline.accepted(load.events + AFTER_THE_CHANGE)
        cluster.start(gone)
        topics = (pipeline.raw_topic, pipeline.records_topic, pipeline.dead_letter_topic)
        await eventually(lambda: all(map(cluster.in_sync, topics)), within_seconds=60)
        enough.set()


async def test_a_lost_leader_and_one_that_is_restarted_lose_nothing_and_keep_the_order_of_each_user(
    kafka_cluster: KafkaCluster, tmp_path: Path
) -> None:
    broker = Broker(kind=BrokerKind.REAL, bootstrap_servers=kafka_cluster.bootstrap_servers, replication_factor=NODES)
    bounds = {"MAX_POLL_RECORDS": POLL, "MAX_MESSAGES_IN_HAND": IN_HAND, "SEGMENT_MAX_BATCH_RECORDS": REQUEST}
    settings = {name: str(bound) for name, bound in bounds.items()}
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings) as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        # Idempotent: a retried request of the test's own client would write an event twice to the raw topic.
        load, cluster = Load(pipeline, enable_idempotence=True), kafka_cluster
        await lose_leader_under_load(cluster, pipeline, load, topic=pipeline.records_topic, by=cluster.kill)
        await lose_leader_under_load(cluster, pipeline, load, topic=pipeline.raw_topic, by=cluster.stop)
        await pipeline.accepted(load.events)
        await pipeline.settled()
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()
        assert load.accepted() == load.written
        assert load.duplicates() <= 2 * MOST_DUPLICATES_A_CHANGE
