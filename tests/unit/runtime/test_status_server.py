from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from pipeline.runtime.errors import PortUnavailableError
from pipeline.runtime.health import Health
from pipeline.runtime.status_server import StatusServer
from pipeline.stream.errors import OffsetsLostError, OffsetsVanishedError
from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def server(port: int, registry: CollectorRegistry | None = None) -> StatusServer:
    return StatusServer(
        host="127.0.0.1",
        port=port,
        registry=registry or CollectorRegistry(),
        liveness=lambda: Health(ok=True, detail="nothing waits"),
        readiness=lambda: Health(ok=False, detail="joining"),
    )


@pytest.fixture
async def address() -> AsyncIterator[str]:
    registry = CollectorRegistry()
    Counter("things_total", "Things.", registry=registry).inc(3)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pages = server(port, registry)
    await pages.start()
    yield f"http://127.0.0.1:{port}"
    await pages.stop()


async def ask(address: str, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_metrics_are_served_as_prometheus_reads_them(address: str) -> None:
    status, kind, text = await ask(address, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "things_total 3.0" in text


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, {"ok": True, "detail": "nothing waits"}),
        ("/readyz", 503, {"ok": False, "detail": "joining"}),
    ],
)
async def test_health_is_told_by_status_and_in_words(
    address: str, path: str, status: int, body: dict[str, object]
) -> None:
    answered, _, text = await ask(address, path)
    assert (answered, json.loads(text)) == (status, body)


async def test_other_pages_do_not_exist(address: str) -> None:
    assert (await ask(address, "/"))[0] == 404


async def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnavailableError, match=f"127.0.0.1:{port}.*PIPELINE_HTTP_PORT"):
            await server(port).start()


async def test_a_server_that_never_started_stops_without_a_word() -> None:
    await server(0).stop()


def test_lost_offsets_are_told_by_partition_with_their_number_and_what_to_do() -> None:
    lost = {TopicPartition("t", 1): (5, 8, 10), TopicPartition("t", 0): (12, 0, 3)}
    text = str(OffsetsLostError("group-1", lost))
    assert "t[0]: committed 12, the log holds 0 to 3, the topic was truncated or recreated" in text
    assert "t[1]: committed 5, the log holds 8 to 10, 3 messages lost" in text
    assert "--reset-offsets --to-earliest --group group-1 --topic t:0,1 --execute" in text


def test_vanished_offsets_are_set_for_their_partitions_alone() -> None:
    text = str(OffsetsVanishedError("group-1", [TopicPartition("t", 3), TopicPartition("t", 1)]))
    assert "is gone for t[1], t[3]" in text
    assert "--reset-offsets --group group-1 --topic t:1,3 … --execute" in text
