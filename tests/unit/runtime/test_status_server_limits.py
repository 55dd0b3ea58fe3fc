"""Hostile clients of the status port, on real sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import socket
import struct
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import structlog
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily

from pipeline.runtime.bounded_port import PortLimits, affordable_connections
from pipeline.runtime.health import Health
from pipeline.runtime.status_server import StatusServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from prometheus_client.core import Metric

HEALTHY: Final = b'{"ok": true, "detail": "nothing waits"}'
PROBE: Final = b"GET /healthz HTTP/1.1\r\nHost: pod\r\nUser-Agent: kube-probe/1.36\r\nConnection: close\r\n\r\n"
SCRAPE: Final = b"GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"
SOON: Final = 0.1
"""A lifetime for connections whose end a test waits for."""
LONG: Final = 600.0
"""A lifetime that no test reaches: another limit ends these connections."""
PATIENCE: Final = 20.0
PADDING: Final = "x" * 1_000


class LargeMetrics(CollectorRegistry):
    """Metrics of 20 MB, more than socket buffers hold, that count their requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        family = GaugeMetricFamily("large", "Large.", labels=["padding"])
        for number in range(20_000):
            family.add_metric([f"{PADDING}{number}"], 1.0)
        yield family


def small_metrics() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("small", "Small.", registry=registry)
    return registry


def raise_fault() -> Health:
    raise RuntimeError("a fault of ours")


@asynccontextmanager
async def serving(
    registry: CollectorRegistry | None = None, *, host: str = "127.0.0.1", **limits: Any
) -> AsyncIterator[StatusServer]:
    server = StatusServer(
        host=host,
        port=0,
        registry=registry or small_metrics(),
        liveness=lambda: Health(ok=True, detail="nothing waits"),
        readiness=raise_fault,
        limits=PortLimits(**{"lifetime_seconds": LONG, **limits}),
    )
    await server.start()
    try:
        async with asyncio.timeout(PATIENCE):
            yield server
    finally:
        async with asyncio.timeout(PATIENCE):
            await server.stop()


@contextmanager
def held(server: StatusServer, count: int) -> Iterator[list[socket.socket]]:
    """Open this many connections before the server can accept any."""
    clients: list[socket.socket] = []
    try:
        clients.extend(socket.create_connection(("127.0.0.1", server.port)) for _ in range(count))
        for client in clients:
            client.settimeout(0)
        yield clients
    finally:
        for client in clients:
            client.close()


async def answer(server: StatusServer, request: bytes) -> bytes:
    """Send these bytes, and return the whole answer; nothing if the server resets the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    received = b""
    with suppress(ConnectionError):
        writer.write(request)
        while part := await reader.read(65_536):
            received += part
    writer.close()
    return received


async def probed(server: StatusServer) -> bool:
    """Probe until an answer comes: on a machine that stalls, a connection's short lifetime may be over first."""
    while not (await answer(server, PROBE)).endswith(HEALTHY):
        pass
    return True


async def ended(client: socket.socket) -> bool:
    """Wait until the server ends a connection."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while await loop.sock_recv(client, 65_536):
            pass
    return True


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a condition of others, which set no event
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nX-Slow: "], ids=["nothing", "half a request"])
async def test_a_probe_is_answered_while_a_thousand_connections_are_held_open(sent: bytes) -> None:
    async with serving(connections=64) as server:
        with held(server, 0) as clients:
            for _ in range(11):
                for _ in range(100):
                    client = socket.create_connection(("127.0.0.1", server.port))
                    client.settimeout(0)
                    client.send(sent)
                    clients.append(client)
                    await asyncio.sleep(0)
            assert (await answer(server, PROBE)).endswith(HEALTHY)
            refused = await asyncio.gather(*(ended(client) for client in clients[: 1_100 - 64]))
            assert all(refused)


async def test_the_newest_connections_stay_open_and_are_answered() -> None:
    async with serving(connections=8) as server:
        with held(server, 9) as clients:
            assert await ended(clients[0])
            loop = asyncio.get_running_loop()
            for client in clients[1:]:
                await loop.sock_sendall(client, PROBE)
                assert (await loop.sock_recv(client, 65_536)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_scrape_under_way_outlives_connections_that_are_only_held_open() -> None:
    registry = LargeMetrics()
    async with serving(registry, connections=4) as server:
        loop = asyncio.get_running_loop()
        with held(server, 1) as (scraper,):
            await loop.sock_sendall(scraper, SCRAPE)
            received = len(await loop.sock_recv(scraper, 1))
            with held(server, 20) as idle:
                assert await ended(idle[0])
                while part := await loop.sock_recv(scraper, 1 << 20):
                    received += len(part)
    assert received > 20_000_000


async def test_the_oldest_makes_room_even_when_all_are_being_answered() -> None:
    async with serving(LargeMetrics(), connections=2) as server:
        loop = asyncio.get_running_loop()
        with held(server, 2) as clients:
            for client in clients:
                await loop.sock_sendall(client, SCRAPE)
                await loop.sock_recv(client, 1)
            assert (await answer(server, PROBE)).endswith(HEALTHY)
            assert await ended(clients[0])


async def test_a_full_port_is_logged_once() -> None:
    async with serving(connections=4) as server:
        with structlog.testing.capture_logs() as lines, held(server, 50) as clients:
            assert await ended(clients[40])
    assert [(line["log_level"], line["connections"]) for line in lines] == [("warning", 4)]
    assert lines[0]["event"].startswith("status port is full")


@pytest.mark.parametrize(
    "beginning", [b"", b"GET ", b"GET /healthz HTTP/1.1\r\n", b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00"], ids=repr
)
async def test_a_client_that_does_not_finish_its_request_is_not_waited_for(beginning: bytes) -> None:
    async with serving(lifetime_seconds=SOON) as server:
        with held(server, 1) as (client,):
            await asyncio.get_running_loop().sock_sendall(client, beginning)
            assert await ended(client)


async def test_a_client_that_drips_its_headers_is_not_waited_for() -> None:
    async with serving(lifetime_seconds=SOON) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(SOON / 10)
        writer.close()
        assert await probed(server)


async def test_a_connection_is_closed_after_its_answer() -> None:
    async with serving() as server:
        whole = await answer(server, b"GET /healthz HTTP/1.1\r\nHost: pod\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in whole
    assert whole.endswith(HEALTHY)


async def test_of_requests_that_are_sent_in_advance_one_is_answered() -> None:
    registry = LargeMetrics()
    async with serving(registry) as server:
        assert (await answer(server, SCRAPE * 100)).count(b"HTTP/1.1 200 OK") == 1
    assert registry.asked == 1


async def test_a_client_that_asks_and_does_not_read_holds_neither_the_answer_nor_the_port() -> None:
    registry = LargeMetrics()
    async with serving(registry, lifetime_seconds=1.0) as server:
        with held(server, 1) as (client,):
            before = open_files()
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, SCRAPE * 10)
            await until(lambda: registry.asked == 1 and open_files() == before)
            received = 0
            with suppress(ConnectionError):
                while part := await loop.sock_recv(client, 1 << 20):
                    received += len(part)
    assert received < 20_000_000


@pytest.mark.parametrize("requests", [b"", b"GET /metr", SCRAPE * 200, PROBE], ids=["none", "half", "many", "probe"])
async def test_the_server_ends_while_clients_hold_on(requests: bytes) -> None:
    async with serving(LargeMetrics()) as server:
        with held(server, 40) as clients:
            loop = asyncio.get_running_loop()
            for client in clients[-4:]:
                await loop.sock_sendall(client, requests)
            for _ in range(20):
                await asyncio.sleep(0)
            await server.stop()
            assert server.port == 0
            assert all(await asyncio.gather(*map(ended, clients)))
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", server.port or 1)


@pytest.mark.parametrize("turns", range(6))
async def test_a_server_that_stops_while_it_accepts_leaves_nothing_behind(turns: int) -> None:
    async with serving() as server:
        with held(server, 5) as clients:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            assert all(await asyncio.gather(*map(ended, clients)))


@pytest.mark.parametrize("sent", [b"", b"GET /healthz", PROBE], ids=["nothing", "half a request", "a request"])
async def test_a_client_that_leaves_early_holds_nothing(sent: bytes) -> None:
    async with serving() as server:
        before = open_files()
        with structlog.testing.capture_logs() as lines, held(server, 20) as clients:
            for client in clients:
                await asyncio.get_running_loop().sock_sendall(client, sent)
                client.shutdown(socket.SHUT_WR)
        assert (await answer(server, PROBE)).endswith(HEALTHY)
        await until(lambda: open_files() == before)
    assert lines == []


async def test_a_client_that_resets_at_once_holds_nothing() -> None:
    async with serving() as server:
        before = open_files()
        with structlog.testing.capture_logs() as lines, held(server, 20) as clients:
            for client in clients:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert (await answer(server, PROBE)).endswith(HEALTHY)
        await until(lambda: open_files() == before)
    assert lines == []


HOSTILE: Final = {
    "TLS hello": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(160)),
    "zeros": bytes(1_000),
    "noise": bytes(range(256)) * 4,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "a version that is none": b"GET /healthz HTTP/9.9\r\n\r\n",
    "no method": b" /healthz HTTP/1.1\r\n\r\n",
    "an unknown method": b"PLEASE /healthz HTTP/1.1\r\n\r\n",
    "a header without a name": b"GET /healthz HTTP/1.1\r\n: secret\r\n\r\n",
    "a header of control characters": b"GET /healthz HTTP/1.1\r\nX: \x00\x1b]52;\r\n\r\n",
    "a header that folds": b"GET /healthz HTTP/1.1\r\nX: a\r\n b\r\n c\r\n\r\n",
    "two lengths": b"GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a length that is none": b"POST /healthz HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks that are none": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an address that is none": b"GET http://[::1/healthz HTTP/1.1\r\n\r\n",
    "an address of another": b"GET http://secret@elsewhere/healthz HTTP/1.1\r\n\r\n",
    "a port that is none": b"GET http://a:99999999/healthz HTTP/1.1\r\n\r\n",
    "a tunnel": b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
    "no path": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path above": b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
    "a path that is not UTF-8": b"GET /%ff%fe\xff HTTP/1.1\r\n\r\n",
    "an upgrade": b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + bytes(8_000),
    "an expectation": b"POST /metrics HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "a long path": b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
    "an endless header": b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 5_000_000,
    "many headers": b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 100 + b"\r\n",
    "endless headers": b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 1_000_000,
    "a large body": b"POST /healthz HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000),
    "a body that never comes": b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_request_is_refused_without_a_line_above_debug(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(lifetime_seconds=SOON) as server:
        with structlog.testing.capture_logs() as lines:
            got = await answer(server, sent)
        assert await probed(server)
    assert not got or got.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or got.endswith(HEALTHY)
    assert len(re.findall(rb"^HTTP/1\.[01] \d{3} ", got, re.MULTILINE)) <= 1
    assert {line["log_level"] for line in lines} <= {"debug"}
    assert [line for line in lines if "exc_info" in line or set(line) - {"event", "log_level"}] == []
    assert [record for record in caplog.records if record.name != "asyncio" or record.levelno > logging.DEBUG] == []


async def test_malformed_http_is_a_debug_line() -> None:
    async with serving() as server:
        with structlog.testing.capture_logs() as lines:
            assert (await answer(server, HOSTILE["a header without a name"])).startswith(b"HTTP/1.0 400 ")
    assert [line["log_level"] for line in lines] == ["debug"]


async def test_a_fault_of_a_page_is_an_error_with_its_cause() -> None:
    async with serving() as server:
        with structlog.testing.capture_logs() as lines:
            assert (await answer(server, PROBE.replace(b"healthz", b"readyz"))).startswith(b"HTTP/1.1 500 ")
    (line,) = lines
    assert (line["log_level"], str(line["exc_info"])) == ("error", "a fault of ours")


async def status(
    server: StatusServer, method: str, path: str, *, host: str = "127.0.0.1", **options: Any
) -> tuple[int, str, str]:
    url = f"http://{host}:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        return response.status, response.headers.get("Allow", ""), await response.text()


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_head_is_answered_without_a_body(path: str) -> None:
    async with serving() as server:
        head = await answer(server, f"HEAD {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
        whole = await answer(server, f"GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
    headers, _, body = head.partition(b"\r\n\r\n")
    assert (headers.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"")
    assert b"Content-Length: %d" % len(whole.partition(b"\r\n\r\n")[2]) in headers


@pytest.mark.parametrize("path", ["/", "/health", "/healthz/", "/metrics/x", "//healthz"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with serving() as server:
        assert (await status(server, "GET", path))[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with serving() as server:
        assert (await status(server, method, "/healthz"))[:2] == (405, "GET, HEAD")


async def test_a_body_is_not_taken() -> None:
    async with serving() as server:
        assert (await status(server, "GET", "/healthz", data=b"x"))[0] == 413


async def test_a_query_changes_nothing() -> None:
    async with serving() as server:
        assert (await status(server, "GET", "/healthz?verbose=1"))[0] == 200


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Use up all file descriptors of this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("waiting", [1, 5, 100])
async def test_a_lack_of_descriptors_is_logged_once_with_its_cause_and_is_got_over(waiting: int) -> None:
    loop = asyncio.get_running_loop()
    async with serving() as server:
        with held(server, waiting) as clients:
            with structlog.testing.capture_logs() as lines, without_descriptors():
                for _ in range(50):
                    await asyncio.sleep(0)
            await loop.sock_sendall(clients[-1], PROBE)
            assert (await loop.sock_recv(clients[-1], 65_536)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert [(line["log_level"], line["cause"], line["open_files_limit"]) for line in lines] == [
        ("warning", "Too many open files", 3)
    ]


async def test_a_lack_of_descriptors_costs_idle_connections_first() -> None:
    loop = asyncio.get_running_loop()
    async with serving() as server:
        with held(server, 2) as early:
            await loop.sock_sendall(early[0], b"GET ")
            assert (await answer(server, PROBE)).endswith(HEALTHY)  # by then both are accepted
            with held(server, 1) as late:
                with without_descriptors():
                    assert await ended(early[0])
                await loop.sock_sendall(late[0], PROBE)
                assert (await loop.sock_recv(late[0], 65_536)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_server_that_rests_for_lack_of_descriptors_can_be_stopped() -> None:
    async with serving() as server:
        with held(server, 1):
            with without_descriptors():
                for _ in range(5):
                    await asyncio.sleep(0)
            await server.stop()
            assert server.port == 0


@pytest.mark.parametrize(
    ("limit", "most"), [(resource.RLIM_INFINITY, 64), (1_048_576, 64), (1_024, 64), (256, 32), (64, 8), (16, 8)]
)
def test_connections_are_an_eighth_of_what_the_process_may_open(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (limit, limit))
    assert affordable_connections() == most


async def test_a_host_that_is_a_name_is_served() -> None:
    async with serving(host="localhost") as server:
        assert (await status(server, "GET", "/healthz", host="localhost"))[0] == 200
