"""Topics whose settings lose messages: rejected at the start, and not written to if they change later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run
from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage
from tests.integration.cluster_changes import set_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline

pytestmark = [pytest.mark.real_only("settings of topics"), pytest.mark.usefixtures("logs_put_back")]

SOON = "0.2"
TOPICS = ("raw_topic", "records_topic", "dead_letter_topic")
LOSING: dict[str, tuple[dict[str, str | float], str]] = {
    "compacted": ({"cleanup_policy": "compact"}, "is compacted (cleanup.policy=compact)"),
    "compacted and deleted": ({"cleanup_policy": "compact,delete"}, "is compacted (cleanup.policy=compact,delete)"),
    "more replicas than there are": ({"min_insync_replicas": 2}, "has 1 replicas and requires 2 of them"),
}


def told(pipeline: Pipeline, capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str]:
    """Run a command on the pipeline's topics; return its exit code and its errors."""
    environment = {name: value for name, value in pipeline.environment(1).items() if name.startswith("PIPELINE_")}
    code = run(["topics", command], environment)
    return code, capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "create"])
async def test_every_topic_that_loses_messages_is_refused_at_once(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    async with running_pipeline(broker, tmp_path, TOPIC_REPLICATION_FACTOR="1") as pipeline:
        for field, (settings, _) in zip(TOPICS, LOSING.values(), strict=False):
            set_topic(broker, getattr(pipeline, field), **settings)
        code, text = await asyncio.to_thread(told, pipeline, capsys, command)
    assert code == ExitCode.FAILED
    for field, (_, says) in zip(TOPICS, LOSING.values(), strict=False):
        assert f"Topic `{getattr(pipeline, field)}` {says}" in text


@pytest.mark.parametrize(("settings", "says"), LOSING.values(), ids=LOSING)
async def test_no_worker_starts_on_a_records_topic_that_loses_messages(
    broker: Broker, tmp_path: Path, settings: dict[str, str | float], says: str
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        set_topic(broker, pipeline.records_topic, **settings)
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        assert [await worker.ended() for worker in workers] == [1, 1]
        for worker in workers:
            assert f"Topic `{pipeline.records_topic}` {says}" in worker.log.read_text()


async def test_a_worker_does_not_write_to_a_topic_that_is_compacted_while_it_runs(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=1, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await write(pipeline, [click(number, "one user") for number in range(30)])
        await pipeline.accepted(30)
        await pipeline.settled()
        set_topic(broker, pipeline.records_topic, cleanup_policy="compact")
        for worker in (processor, sink):
            assert await worker.said("/readyz", f"Topic `{pipeline.records_topic}` is compacted") == 503
            assert await worker.said("/metrics", 'onesignal_pipeline_holding{reason="topic_settings"} 1.0') == 200
            assert (await worker.get("/healthz"))[0] == 200
        await write(pipeline, [click(number, "one user") for number in range(30, 60)])
        assert await processor.said("/readyz", "kafka-configs") == 503
        set_topic(broker, pipeline.records_topic, cleanup_policy="delete")
        await pipeline.accepted(60)
        await pipeline.settled()
        for worker in (processor, sink):
            assert await worker.said("/readyz", '"ready') == 200


async def test_a_letter_without_a_key_that_a_compacted_topic_refuses_is_told_and_stored_later(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=1, TOPIC_WATCH_SECONDS="3600") as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200
        set_topic(broker, pipeline.dead_letter_topic, cleanup_policy="compact")
        await write(pipeline, [RawMessage(key=None, partition=0, value=b"no event"), click(1, "u")])
        assert await processor.said("/readyz", f"Kafka refuses a message for `{pipeline.dead_letter_topic}`") == 503
        assert await processor.said("/metrics", 'onesignal_pipeline_holding{reason="kafka_refuses"} 1.0') == 200
        set_topic(broker, pipeline.dead_letter_topic, cleanup_policy="delete")
        await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.accepted(1)
        await pipeline.settled()
        assert await processor.said("/readyz", '"ready') == 200
