"""The status port of real workers, with clients that keep its connections busy."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.builders import encode, raw_event
from tests.integration.clients import RawMessage
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.stream_workers import numbers, stage, worker_process
from tests.integration.test_end_to_end import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.brokers import Broker

OPEN_FILES = 1_024
IDLE = 1_100
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"


@contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Keep connections open."""
    clients: list[socket.socket] = []
    try:
        clients.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(count))
        yield clients
    finally:
        for client in clients:
            client.close()


def ask_without_reading(client: socket.socket) -> None:
    """Send requests until the buffers are full, or the other side has closed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.settimeout(10)
    with suppress(ConnectionError, TimeoutError):
        while True:
            client.sendall(SCRAPE * 100)


async def test_idle_connections_beyond_the_limit_of_descriptors_stop_neither_probes_nor_deliveries(
    broker: Broker, tmp_path: Path
) -> None:
    messages = [RawMessage(key=b"u", value=encode(raw_event(id=f"event-{number}"))) for number in range(50)]
    async with running_pipeline(broker, tmp_path, partitions=1, LOG_FORMAT="json") as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        for worker in workers:
            assert await worker.said("/readyz", "ready") == 200
            resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        for worker in workers:
            with connected(worker.http_port, IDLE):
                assert (await worker.get("/healthz"))[0] == 200
        with connected(workers[0].http_port, IDLE), connected(workers[1].http_port, IDLE):
            await write(pipeline, messages)
            await pipeline.accepted(len(messages))
            for worker in workers:
                assert (await worker.get("/healthz"))[0] == 200
                assert await worker.stop() == 0, pipeline.logs()
        for worker in workers:
            lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
            assert [
                line["message"] for line in lines if line["logger"].startswith("pipeline.runtime.bounded_port")
            ] == ["status port is full, closing the oldest connections; find out what keeps them open"]
            assert [line for line in lines if line["logger"].startswith(("asyncio", "aiohttp"))] == []


async def test_clients_that_do_not_read_keep_no_worker_from_its_end(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(10))
    async with worker_process(where, tmp_path, "settle-in-drain") as worker:
        await worker.answers("/metrics", 200, "onesignal_pipeline_messages_in_hand 10.0")
        with connected(worker.http_port, 4) as clients:
            await asyncio.gather(*(asyncio.to_thread(ask_without_reading, client) for client in clients))
            with connected(worker.http_port, 40) as silent:
                silent[0].sendall(b"GET /metr")
                await worker.answers("/healthz", 200, "ok")
                worker.signal(signal.SIGTERM)
                assert await worker.ended() == 0, worker.log_text()
    assert where.committed() == {0: 10}
