from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run
from tests.integration.clients import eventually, read_topic, watermarks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.brokers import Broker

pytestmark = pytest.mark.usefixtures("logs_put_back")

SECONDS = 60


def environment(broker: Broker) -> dict[str, str]:
    made = {f"PIPELINE_{name}": broker.create_topic(name, 2) for name in ("RAW_TOPIC", "RECORDS_TOPIC")}
    dead_letters = broker.create_topic("dead-letters", 1)
    return made | {
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "PIPELINE_DEAD_LETTER_TOPIC": dead_letters,
    }


@asynccontextmanager
async def running(variables: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline", "traffic", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **variables},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_as_many_events_as_were_asked_for_are_in_the_raw_topic(
    broker: Broker,
) -> None:
    variables = environment(broker)
    async with running(variables, "--events", "700", "--rate", "0", "--seed", "5") as process:
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, said
    assert said.decode().splitlines() == [
        f"writing to {variables['PIPELINE_RAW_TOPIC']}, seed 5",
        "700 events written",
    ]
    stored = await asyncio.to_thread(read_topic, broker.bootstrap_servers, variables["PIPELINE_RAW_TOPIC"])
    assert len(stored) == 700
    assert {each.partition for each in stored} == {0, 1}


async def test_traffic_without_end_ends_in_order_when_it_is_told_to(broker: Broker) -> None:
    variables = environment(broker)
    topic = variables["PIPELINE_RAW_TOPIC"]

    def written() -> int:
        return sum(high for _, high in watermarks(broker.bootstrap_servers, topic).values())

    async with running(variables, "--rate", "500") as process:
        await eventually(lambda: written() > 100, within_seconds=SECONDS)
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, said
    told = int(said.decode().splitlines()[-1].split()[0])
    assert 100 <= told <= written()


def test_no_topic_is_made_up_with_the_traffic(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    missing = {
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "PIPELINE_RAW_TOPIC": broker.unique("raw"),
    }
    assert run(["traffic", "--events", "1"], missing) == ExitCode.FAILED
    assert f"Topic `{missing['PIPELINE_RAW_TOPIC']}` does not exist" in capsys.readouterr().err
