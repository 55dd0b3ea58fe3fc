"""Files whose reads hang: a worker continues with what it knows, reports it, and ends on a signal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.local.segment.stand_in import WRITE_KEY
from pipeline.settings.choices import Role
from tests.builders import raw_event
from tests.fakes.hung_mount import mark
from tests.integration.clients import RawMessage, committed_offsets, eventually
from tests.integration.pipeline_processes import EXIT_SECONDS, running_pipeline
from tests.integration.test_end_to_end import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

UNANSWERED = "it did not answer within 5 s"
RULES = "rules: []\n"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES)
    (folder / "write-key").write_text(WRITE_KEY)
    return folder


def program(mount: Path) -> tuple[str, str]:
    return "tests.fakes.hung_mount", str(mount)


def events(number: int) -> list[RawMessage]:
    values = [orjson.dumps(raw_event(id=f"e-{number}-{index}", external_id="u")) for index in range(10)]
    return [RawMessage(key=b"u", partition=0, value=value) for value in values]


async def test_a_processor_whose_rules_do_not_answer_goes_on_and_reads_them_when_they_do(
    broker: Broker, tmp_path: Path, mount: Path
) -> None:
    rules = mount / "rules.yaml"
    settings = {"RULES_FILE": str(rules), "RULES_RELOAD_SECONDS": "0.1"}
    async with running_pipeline(broker, tmp_path, partitions=1, **settings) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR, program=program(mount))
        assert await processor.said("/readyz", "ready; rules ") == 200
        mark(mount).touch()
        rules.write_text("rules: [{then: dropp}]\n")
        assert await processor.said("/readyz", UNANSWERED) == 200
        assert (
            await processor.said("/metrics", 'onesignal_pipeline_rules_reload_failing{destination="segment"} 1.0')
            == 200
        )
        await write(pipeline, events(1))
        servers = pipeline.broker.bootstrap_servers
        await eventually(lambda: committed_offsets(servers, pipeline.processor_group, pipeline.raw_topic) == {0: 10})
        mark(mount).unlink()
        assert await processor.said("/readyz", "did you mean `drop`?") == 200
        rules.write_text(RULES)
        assert (
            await processor.said("/metrics", 'onesignal_pipeline_rules_reload_failing{destination="segment"} 0.0')
            == 200
        )
        mark(mount).touch()
        assert await processor.said("/readyz", UNANSWERED) == 200
        assert await processor.stop() == 0, pipeline.logs()


async def test_a_sink_whose_write_key_does_not_answer_sends_on_with_the_one_from_before(
    broker: Broker, tmp_path: Path, mount: Path
) -> None:
    settings = {"SEGMENT_WRITE_KEY": "", "SEGMENT_WRITE_KEY_FILE": str(mount / "write-key")}
    async with running_pipeline(broker, tmp_path, partitions=1, **settings) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        sink = await pipeline.start(Role.SEGMENT_SINK, program=program(mount))
        await write(pipeline, events(1))
        await pipeline.accepted(10)
        mark(mount).touch()
        assert await sink.said("/readyz", f"a change of the write key was refused: {UNANSWERED}") == 200
        assert (
            await sink.said("/metrics", 'onesignal_pipeline_sink_credentials_reload_failing{destination="segment"} 1.0')
            == 200
        )
        await write(pipeline, events(2))
        await pipeline.accepted(20)
        assert await sink.said("/healthz", "") == 200
        assert [await worker.stop() for worker in (processor, sink)] == [0, 0], pipeline.logs()


async def test_a_pipe_in_place_of_the_write_key_is_refused_and_the_sink_ends_when_told(
    broker: Broker, tmp_path: Path, mount: Path
) -> None:
    key = mount / "write-key"
    settings = {"SEGMENT_WRITE_KEY": "", "SEGMENT_WRITE_KEY_FILE": str(key)}
    async with running_pipeline(broker, tmp_path, partitions=1, **settings) as pipeline:
        sink = await pipeline.start(Role.SEGMENT_SINK)
        assert await sink.said("/readyz", "ready") == 200
        key.unlink()
        os.mkfifo(key)
        assert await sink.said("/readyz", "it is a pipe, not a file") == 200
        assert await sink.stop() == 0, pipeline.logs()


@pytest.mark.parametrize(
    ("role", "name", "file"),
    [("processor", "RULES_FILE", "rules.yaml"), ("segment-sink", "SEGMENT_WRITE_KEY_FILE", "write-key")],
)
async def test_a_worker_does_not_start_with_a_file_that_does_not_answer(
    role: str, name: str, file: str, mount: Path
) -> None:
    mark(mount).touch()
    settings = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", f"PIPELINE_{name}": str(mount / file)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *program(mount), "worker", role),
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(EXIT_SECONDS):
        printed, _ = await process.communicate()
    assert process.returncode == 2
    assert f"PIPELINE_{name} is `{mount / file}`" in printed.decode()
    assert UNANSWERED in printed.decode()
