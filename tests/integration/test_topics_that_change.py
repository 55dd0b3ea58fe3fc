"""Partitions added, messages deleted, topics deleted or recreated while workers run: no loss goes unreported."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException

from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage, committed_offsets, eventually, read_topic
from tests.integration.cluster_changes import add_partitions, delete_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline, WorkerProcess

SOON = "0.2"
BEFORE, AFTER = 2, 4


def clicks(first: int, count: int, partitions: int) -> list[RawMessage]:
    """Return clicks of users who each have their own partition."""
    return [
        replace(click(number, f"u-{number % partitions}"), partition=number % partitions)
        for number in range(first, first + count)
    ]


async def started(pipeline: Pipeline) -> list[WorkerProcess]:
    """Start both workers, and wait until they are ready."""
    workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
    for worker in workers:
        assert await worker.said("/readyz", '"ready') == 200
    return workers


@pytest.mark.embedded_only("the real one falls silent in an outage, which takes half a minute to be sure of")
async def test_a_worker_with_nothing_to_do_is_not_ready_while_kafka_is_away(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, TOPIC_WATCH_SECONDS=SOON, LOG_FORMAT="json") as pipeline:
        workers = await started(pipeline)
        with broker.outage():
            for worker in workers:
                assert await worker.said("/readyz", "Kafka does not answer") == 503
                assert await worker.said("/healthz", "") == 200
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
        assert [await worker.stop() for worker in workers] == [0, 0]
        for worker in workers:
            lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
            own = [line["message"] for line in lines if line["logger"] == "pipeline.kafka.topic_watch"]
            assert own == ["Kafka is away", "Kafka answers again"]
            start = next(line for line in lines if line["message"] == "worker starts")
            assert (start["role"], start["http_port"]) == (worker.role.value, worker.http_port)


@pytest.mark.real_only("partitions that are added")
async def test_added_partitions_wait_untouched_until_the_documented_procedure_brings_everything(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=BEFORE, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        processor, sink = await started(pipeline)
        await write(pipeline, clicks(0, 100, BEFORE))
        await pipeline.accepted(100)

        add_partitions(broker, pipeline.raw_topic, AFTER)
        assert await processor.said("/readyz", "has 4 partitions and had 2") == 503
        assert await sink.said("/readyz", "ready") == 200
        await write(pipeline, clicks(100, 100, AFTER))
        await pipeline.accepted(150)  # those of the partitions that existed before
        assert (await processor.get("/healthz"))[0] == 200
        told = processor.log.read_text()
        assert told.count("partitions were added") == 1
        assert pipeline.raw_topic in told
        assert "Adding partitions" in told
        refused = await pipeline.start(Role.PROCESSOR)
        assert await refused.ended() == 1
        assert "give both the same number" in refused.log.read_text()

        add_partitions(broker, pipeline.records_topic, AFTER)
        assert await sink.said("/readyz", "has 4 partitions and had 2") == 503
        assert [await worker.stop() for worker in (processor, sink)] == [0, 0], pipeline.logs()
        assert len(pipeline.segment.ledger.accepted) == 150
        await started(pipeline)
        await write(pipeline, clicks(200, 100, AFTER))
        await pipeline.accepted(300)
        await pipeline.settled()
        assert len(pipeline.segment.ledger.accepted) == 300


@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_a_live_worker_under_which_messages_are_trimmed_ends_and_says_how_many_are_lost(
    broker: Broker, tmp_path: Path, role: Role
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=1) as pipeline:
        processor, sink = await started(pipeline)
        topic = {Role.PROCESSOR: pipeline.raw_topic, Role.SEGMENT_SINK: pipeline.records_topic}[role]
        behind = {Role.PROCESSOR: processor, Role.SEGMENT_SINK: sink}[role]
        await write(pipeline, clicks(0, 10, 1))
        await pipeline.settled()
        behind.process.send_signal(signal.SIGSTOP)
        for number in range(10, 20):  # each in its own record batch, so that the log can be truncated between them
            await write(pipeline, clicks(number, 1, 1))
        await eventually(lambda: len(read_topic(broker.bootstrap_servers, topic)) == 20)
        broker.delete_records(topic, 0, before_offset=18)
        behind.process.send_signal(signal.SIGCONT)
        assert await behind.ended() == 1, pipeline.logs()
        told = behind.log.read_text()
        found = re.search(rf"{topic}\[0\]: committed (\d+), the log holds 18 to 20, (\d+) messages lost", told)
        assert found is not None, told
        read, lost = int(found[1]), int(found[2])
        assert 10 <= read < 18  # the response to a fetch may have been in flight
        assert read + lost == 18
        group = {Role.PROCESSOR: pipeline.processor_group, Role.SEGMENT_SINK: pipeline.segment_sink_group}[role]
        assert committed_offsets(broker.bootstrap_servers, group, topic)[0] <= read


@pytest.mark.real_only("topics that are deleted")
@pytest.mark.parametrize(
    ("doomed", "ending"),
    [("raw_topic", SEGMENT_ROLES[:1]), ("records_topic", SEGMENT_ROLES), ("dead_letter_topic", SEGMENT_ROLES)],
)
async def test_workers_end_when_a_topic_of_theirs_is_deleted_and_do_not_start_without_it(
    broker: Broker, tmp_path: Path, doomed: str, ending: Sequence[Role]
) -> None:
    async with running_pipeline(broker, tmp_path, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        workers = await started(pipeline)
        await write(pipeline, clicks(0, 40, 4))
        await pipeline.settled()
        topic = getattr(pipeline, doomed)
        delete_topic(broker, topic)
        for worker in workers:
            if worker.role in ending:
                assert await worker.ended() == 1, pipeline.logs()
                assert f"topic `{topic}` was deleted: " in worker.log.read_text()
            else:
                assert await worker.stop() == 0, pipeline.logs()
        again = await pipeline.start(ending[0])
        assert await again.ended() == 1
        assert f"Topic `{topic}` does not exist" in again.log.read_text()


@pytest.mark.real_only("topics that are deleted")
async def test_a_recreated_topic_is_not_taken_for_the_old_one(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, partitions=1, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        processor, _ = await started(pipeline)
        await write(pipeline, clicks(0, 10, 1))
        await pipeline.settled()
        processor.process.send_signal(signal.SIGSTOP)
        delete_topic(broker, pipeline.raw_topic)
        await eventually(lambda: recreated(pipeline))
        await write(pipeline, clicks(10, 30, 1))  # more than before: the old position is inside the new log
        processor.process.send_signal(signal.SIGCONT)
        assert await processor.ended() == 1, pipeline.logs()

        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1, pipeline.logs()
        assert "cannot be relied on" in processor.log.read_text()
        pipeline.settings = {**pipeline.settings, "GROUP_START": "earliest"}
        processor = await pipeline.start(Role.PROCESSOR)
        await pipeline.accepted(40)


def recreated(pipeline: Pipeline) -> bool:
    """Create the raw topic under its old name; return False while the broker is still deleting the old one."""
    try:
        pipeline.broker.create_topic_named(pipeline.raw_topic, 1)
    except KafkaException:
        return False
    return True
