"""Headers of foreign producers: null values, and more headers than fit into memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.kafka import headers
from pipeline.settings.choices import Role
from tests.fakes.batches import Header, record
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.raw_batches import write_batch
from tests.integration.test_memory import PARTITIONS, bound, bound_of_processor, is_full
from tests.integration.test_unreadable import (
    VERSION,
    batch,
    given,
    most_memory,
    read,
    topic_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import WorkerProcess

TINY: Final = 5_000
WAITING: Final = 2_000
A_BATCH: Final = 10


@pytest.mark.real_only("raw batches")
@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_a_format_version_without_a_value_is_no_version_and_loses_and_reorders_nothing(
    role: Role, broker: Broker, tmp_path: Path
) -> None:
    name = headers.FORMAT_VERSION.encode()
    odd: tuple[list[Header], ...] = (
        [(name, None)],
        [(name, None), VERSION],
        [(b"other", None), VERSION],
        [VERSION, (name, None)],
        [],
    )
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest") as pipeline:
        for begin in (0, 10, 20):
            records = (record(at, *given(role, begin + at), kept) for at, kept in enumerate(odd))
            await write_batch(broker.bootstrap_servers, topic_of(role, pipeline), 0, batch(*records))
        for each in SEGMENT_ROLES:
            await pipeline.start(each)
        await pipeline.accepted(15)
        await pipeline.settled()
        expected = [begin + at for begin in (0, 10, 20) for at in range(5)]
        assert [number_of(each) for each in pipeline.segment.ledger.accepted] == expected
        assert [await worker.stop() for worker in pipeline.workers] == [0, 0]


def number_of(message_id: str) -> int:
    return int(message_id.removeprefix("m-").split("-")[0])


@pytest.mark.real_only("raw batches")
@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_thousands_of_waiting_messages_with_thousands_of_headers_stay_under_the_stated_bound(
    role: Role, broker: Broker, tmp_path: Path
) -> None:
    many = [VERSION, *((b"h%d" % number, b"") for number in range(TINY))]
    async with running_pipeline(
        broker,
        tmp_path,
        partitions=PARTITIONS,
        GROUP_START="earliest",
        SEGMENT_ENDPOINT="http://127.0.0.1:9/v1/batch",
        MAX_MESSAGES_IN_HAND=str(WAITING // PARTITIONS),
    ) as pipeline:
        for begin in range(0, WAITING + PARTITIONS * A_BATCH, A_BATCH):
            records = (record(at, *given(role, begin + at), many) for at in range(A_BATCH))
            data = batch(*records)
            await write_batch(broker.bootstrap_servers, topic_of(role, pipeline), begin // A_BATCH % PARTITIONS, data)
        worker = await pipeline.start(role)
        watched = asyncio.create_task(most_memory(worker.process.pid))
        await (full(worker) if role is Role.SEGMENT_SINK else read(pipeline, role, WAITING))
        assert await worker.stop() == 0
        allowed = bound(1_000) if role is Role.SEGMENT_SINK else bound_of_processor(1_000, 1_400)
        most = await watched
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"


async def full(worker: WorkerProcess) -> None:
    """Wait until a worker that sends nothing has reached its limit of messages in hand."""
    async with asyncio.timeout(60):
        while True:
            if await is_full(worker, WAITING):
                return
            await asyncio.sleep(0.05)
