"""Resident memory of a real sink process while Segment is away and its topic is full stays under the stated bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
import psutil
import pytest

from pipeline.kafka import headers
from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage, produce
from tests.integration.pipeline_processes import running_pipeline
from tests.integration.test_end_to_end import numbers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import WorkerProcess

RECORDS: Final = 300_000
RECORD_BYTES: Final = 870
PARTITIONS: Final = 16
MEBIBYTE: Final = 1024 * 1024
IN_HAND, POLL, FETCH_BYTES = 2_000, 1_000, MEBIBYTE
LOOKS: Final = 30
MESSAGE_OVERHEAD_BYTES: Final = 500
BOUND: Final = 100_000_000 + PARTITIONS * (2 * FETCH_BYTES + (IN_HAND + POLL) * (RECORD_BYTES + MESSAGE_OVERHEAD_BYTES))
"""As README states it (Memory); 200 MB here, of which 163 MB were used when it was written."""


def record(number: int) -> bytes:
    fields = {"type": "track", "messageId": f"m-{number}", "userId": f"u-{number % 5_000}", "event": "Push Clicked"}
    body = orjson.dumps({**fields, "timestamp": "2026-01-01T00:00:00.000Z", "properties": {"filler": ""}})
    return body[:-3] + b"x" * (RECORD_BYTES - len(body)) + body[-3:]


@pytest.mark.real_only("a topic that keeps more than 5 MiB of a partition")
async def test_a_sink_with_a_full_topic_and_no_destination_stays_under_the_stated_bound(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(
        broker, tmp_path, partitions=PARTITIONS, SEGMENT_ENDPOINT="http://127.0.0.1:9/v1/batch"
    ) as pipeline:
        version = ((headers.FORMAT_VERSION, headers.RECORD_FORMAT),)
        await asyncio.to_thread(
            produce,
            broker.bootstrap_servers,
            pipeline.records_topic,
            (RawMessage(value=record(each), partition=each % PARTITIONS, headers=version) for each in range(RECORDS)),
        )
        sink = await pipeline.start(Role.SEGMENT_SINK)
        process = psutil.Process(sink.process.pid)
        most = 0
        async with asyncio.timeout(60):
            while not await is_full(sink):
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.05)
        for _ in range(LOOKS):
            most = max(most, process.memory_info().rss)
            told = await numbers(sink)
            assert told["messages_in_hand"] <= PARTITIONS * (IN_HAND + POLL)
            await asyncio.sleep(0.05)
        assert most <= BOUND, f"{most / 1e6:.0f} MB"


async def is_full(sink: WorkerProcess) -> bool:
    """Whether so much is in hand of every partition that none is fetched any more."""
    status, _ = await sink.get("/readyz")
    return status != 0 and (await numbers(sink))["messages_in_hand"] >= PARTITIONS * IN_HAND
