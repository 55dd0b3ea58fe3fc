"""Nodes of a three-node Kafka that go away and come back while the pipeline works."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.settings.choices import Role
from tests.integration.brokers import Broker, BrokerKind
from tests.integration.clients import RawMessage, eventually, produce
from tests.integration.pipeline_processes import PARTITIONS, Pipeline, running_pipeline
from tests.integration.test_kill import click
from tests.kafka_cluster import NODES, KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.cluster("three nodes of Kafka")

EVENTS_A_CHUNK = 250
EVENTS_ON_THEIR_WAY = 500
"""The load is not ahead of Segment by more than this and a chunk, so every fault meets it in the middle."""
EVENTS_AFTER_THE_CHANGE = 1_000
USERS = 60
NOBODY = -1
IN_HAND, POLL, REQUEST = 100, 50, 50
MOST_DUPLICATES_A_CHANGE = len(Role) * PARTITIONS * (IN_HAND + POLL + REQUEST)
"""What processor and sink may have in hand, should their coordinator be lost: it is read and sent once more."""


class Load:
    """Writes clicks of random users, and remembers the order of each user's."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.written: dict[str, list[str]] = {}
        self.events = 0
        self._pipeline = pipeline
        self._chance = random.Random(20260102)

    async def write_until(self, enough: asyncio.Event) -> None:
        """Write chunk after chunk, as fast as Segment accepts them."""
        while not enough.is_set():
            await self._pipeline.accepted(self.events - EVENTS_ON_THEIR_WAY)
            users = [f"u-{self._chance.randrange(USERS)}" for _ in range(EVENTS_A_CHUNK)]
            events = [click(number, user) for number, user in enumerate(users, self.events)]
            for user, event in zip(users, events, strict=True):
                self.written.setdefault(user, []).append(message_id(event))
            await asyncio.to_thread(self._produce, events)
            self.events += EVENTS_A_CHUNK

    def _produce(self, events: list[RawMessage]) -> None:
        # Idempotent: a repeated request of the test's own client would put an event twice into the raw topic.
        produce(self._pipeline.broker.bootstrap_servers, self._pipeline.raw_topic, events, enable_idempotence=True)


def message_id(event: RawMessage) -> str:
    found: str = orjson.loads(event.value or b"")["event"]["id"]
    return found


async def lose_leader_under_load(
    cluster: KafkaCluster, pipeline: Pipeline, load: Load, *, topic: str, by: Callable[[int], None]
) -> None:
    """Take the leader of a partition away in the middle of writing, and end when it is back and in sync."""
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.write_until(enough))
        await pipeline.accepted(load.events + EVENTS_A_CHUNK)
        gone = await asyncio.to_thread(cluster.leader, topic, 0)
        await asyncio.to_thread(by, gone)
        await eventually(lambda: cluster.leader(topic, 0) not in {gone, NOBODY})
        await pipeline.accepted(load.events + EVENTS_AFTER_THE_CHANGE)
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
        workers = [await pipeline.start(role) for role in Role]
        load = Load(pipeline)
        await lose_leader_under_load(kafka_cluster, pipeline, load, topic=pipeline.records_topic, by=kafka_cluster.kill)
        await lose_leader_under_load(kafka_cluster, pipeline, load, topic=pipeline.raw_topic, by=kafka_cluster.stop)
        await pipeline.accepted(load.events)
        await pipeline.settled()
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()

        accepted: dict[str, list[str]] = {}
        for its_id, user in pipeline.segment.ledger.accepted.items():
            accepted.setdefault(user, []).append(its_id)
        assert accepted == load.written
        assert pipeline.segment.ledger.summary().discarded["duplicate"] <= 2 * MOST_DUPLICATES_A_CHANGE
