"""The guard around aiohttp: bytes that arrive between two steps of a request, on plain sockets and on TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
import pytest
import trustme
from aiohttp import connector as aiohttp_connector
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from pydantic import SecretStr

from pipeline.delivery import guarded_http
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.guarded_http import GuardedConnection, GuardedConnector, unsent_bytes
from pipeline.delivery.probe import ProbeOutcome
from pipeline.kafka.certificates import CertificateFault
from pipeline.sinks.segment.api import SegmentApi
from pipeline.sinks.segment.body import build_body
from pipeline.sinks.segment.options import SegmentOptions
from tests.fakes.segment import WRITE_KEY, record, record_of
from tests.hostile.answer_server import AnswerServer
from tests.hostile.answers import FAILED, GOOD, Close, Expected, HostileAnswer, Pause, Send, Silence, When, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.delivery.client import HttpClient, RequestClient
    from tests.hostile.answers import Step

BODY: Final = build_body([record("a")], sent_at=0.0)
LARGE: Final = build_body([record_of(30_000, f"m-{number}") for number in range(15)], sent_at=0.0)
ACCEPTED: Final = Answered(status=200, content_type="application/json", body=b'{"success":true}')
REFUSED: Final = Answered(status=503, content_type="application/json", body=b'{"success":false}')
LOST: Final = Unanswered(failure=Failure.CONNECTION_LOST)
DAY: Final = dt.timedelta(days=1)
NOW: Final = dt.datetime.now(dt.UTC)


def api_of(endpoint: str) -> SegmentApi:
    return SegmentApi(SegmentOptions(endpoint=endpoint, write_key=SecretStr(WRITE_KEY)))


def client_of(endpoint: str) -> RequestClient:
    return api_of(endpoint).connect()


@contextlib.asynccontextmanager
async def speaking(
    hostile: HostileAnswer | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[AnswerServer, RequestClient]]:
    server = AnswerServer(hostile)
    await server.start(tls=tls)
    scheme = "http" if tls is None else "https"
    client = client_of(f"{scheme}://localhost:{server.port}/v1/batch")
    try:
        yield server, client
    finally:
        await client.close()
        await server.stop()


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Return an authority that the client trusts."""
    made = trustme.CA()
    trusting = ssl.create_default_context()
    made.configure_trust(trusting)
    monkeypatch.setattr(aiohttp_connector, "_SSL_CONTEXT_VERIFIED", trusting)
    return made


def server_context(authority: trustme.CA, name: str = "localhost", **validity: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **validity).configure_cert(context)
    return context


class Interruption:
    """A server that also sends bytes when a test calls `send`."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.answer = FAILED

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY))
                writer.write(self.answer)
        writer.close()

    def send(self, data: bytes) -> None:
        """Send at once. Afterwards the bytes are in the client's socket, and its loop has not read them."""
        self.writers[-1].write(data)


@contextlib.asynccontextmanager
async def interrupting() -> AsyncIterator[tuple[Interruption, RequestClient]]:
    made = Interruption()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    client = client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/batch")
    async with server:
        try:
            yield made, client
        finally:
            await client.close()


def interrupted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], None]) -> None:
    """Call ``act`` once, immediately before a method of the library."""
    original = getattr(owner, name)
    acts = [act]

    def replacement(*arguments: Any, **options: Any) -> Any:
        if acts:
            acts.pop()()
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, replacement)


@pytest.mark.parametrize("data", [GOOD, GOOD[:20], b"\r\n", head("100 Continue"), b"\x00"])
async def test_bytes_that_the_loop_has_not_read_replace_the_connection_before_the_request(data: bytes) -> None:
    async with interrupting() as (server, client):
        server.answer = GOOD
        assert await client.post(BODY) == ACCEPTED
        server.answer = FAILED
        server.send(data)
        assert await client.post(BODY) == REFUSED
        assert len(server.writers) == 2


@pytest.mark.parametrize("data", [GOOD, GOOD[:20], b"\r\n"])
async def test_bytes_between_the_choice_of_a_connection_and_the_write_are_no_answer(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with interrupting() as (server, client):
        server.answer = GOOD
        assert await client.post(BODY) == ACCEPTED
        server.answer = FAILED
        interrupted(monkeypatch, aiohttp.ClientRequest, "send", lambda: server.send(data))
        assert await client.post(BODY) == LOST
        assert len(server.writers) == 1
        assert await client.post(BODY) == REFUSED


async def test_a_connection_that_the_other_side_closed_at_the_last_moment_is_a_lost_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with interrupting() as (server, client):
        server.answer = GOOD
        assert await client.post(BODY) == ACCEPTED
        interrupted(monkeypatch, aiohttp.ClientRequest, "send", server.writers[-1].close)
        assert await client.post(BODY) == LOST
        assert await client.post(BODY) == ACCEPTED


async def test_a_request_that_is_cancelled_while_its_connection_is_watched_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = asyncio.Event()

    async def watch(_connection: GuardedConnection, _connecting_seconds: float) -> None:
        watching.set()
        await asyncio.Event().wait()

    async with speaking() as (server, client):
        with monkeypatch.context() as patched:
            patched.setattr(GuardedConnection, "settle", watch)
            posting = asyncio.ensure_future(client.post(BODY))
            await watching.wait()
            posting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await posting
        assert await client.post(BODY) == ACCEPTED
        assert (server.connections, server.requests) == (2, 1)


async def test_a_connection_is_kept_when_nothing_is_wrong() -> None:
    async with speaking() as (server, client):
        for _ in range(50):
            assert await client.post(BODY) == ACCEPTED
        assert (server.connections, server.requests) == (1, 50)


CHUNKED: Final = head("200 OK", "Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD + FAILED, id="an answer that refuses after it"),
        pytest.param(GOOD + b"HTTP/1.1 5", id="the beginning of another after it"),
        pytest.param(GOOD + b"HTTP/1.1 x", id="another after it that is broken"),
        pytest.param(head("100 Continue") * 40 + GOOD, id="too many 1xx before it"),
        pytest.param(head("200 OK", "Content-Length: x") + FAILED, id="another after it, without a length"),
    ],
)
async def test_an_acceptance_that_may_belong_to_another_request_is_a_lost_connection(data: bytes) -> None:
    hostile = HostileAnswer(name="several", steps=(Send(data),), expected=Expected.RETRIED)
    async with speaking(hostile) as (_, client):
        assert await client.post(BODY) == LOST
        assert await client.post(BODY) == ACCEPTED


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((Send(CHUNKED + b"zz\r\n"),), id="with the head"),
        pytest.param((Send(CHUNKED), Pause(0.02), Send(b"zz\r\n")), id="after the head"),
        pytest.param((Send(CHUNKED + b"2\r\n"), Close()), id="cut off"),
        pytest.param((Send(head("200 OK", "Content-Length: 2") + b"{}{}"),), id="too long"),
        pytest.param((Send(head("200 OK", "Content-Length: x") + b"{}"), Close()), id="of a length that is none"),
        pytest.param(
            (Send(head("200 OK", "Content-Length: 2")[:-2] + b"content-length:9\n\r\n{}"), Close()), id="of two"
        ),
    ],
)
async def test_a_head_that_accepts_counts_whatever_the_body_is_and_the_connection_is_closed(
    steps: tuple[Step, ...],
) -> None:
    async with speaking(HostileAnswer(name="broken", steps=steps, expected=Expected.ACCEPTED)) as (server, client):
        response = await client.post(BODY)
        assert isinstance(response, Answered)
        assert response.status == 200
        assert not response.whole
        assert await client.post(BODY) == ACCEPTED
        assert server.connections == 2


async def test_an_answer_behind_the_body_of_another_closes_the_connection() -> None:
    """It arrives in a later read than the head, which already counts as the answer."""
    steps = (Send(head("200 OK", "Content-Length: 2")), Pause(0.02), Send(b"{}" + GOOD), Silence())
    async with speaking(HostileAnswer(name="late", steps=steps, expected=Expected.ACCEPTED)) as (server, client):
        assert await client.post(BODY) == Answered(status=200, body=b"{}")
        assert await client.post(BODY) == ACCEPTED
        assert server.connections == 2


@pytest.mark.parametrize("chunks", [1, 2, 3])
async def test_a_connection_is_kept_after_answers_that_come_in_parts(chunks: int) -> None:
    answer = CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"
    size = -(-len(answer) // chunks)
    steps = tuple(Send(answer[start : start + size]) for start in range(0, len(answer), size))
    hostile = HostileAnswer(name="in parts", steps=steps, expected=Expected.ACCEPTED)
    async with speaking(hostile) as (server, client):
        assert await client.post(BODY) == Answered(status=200, body=b"{}")
        assert await client.post(BODY) == ACCEPTED
        assert server.connections == 1


async def test_an_answer_counts_only_when_the_other_side_has_acknowledged_the_whole_request() -> None:
    """The socket accepts the whole request at once, so the process has no bytes of it when the answer arrives."""
    hostile = HostileAnswer(
        name="early", steps=(Send(GOOD), Silence()), expected=Expected.RETRIED, when=When.MID_REQUEST
    )
    async with speaking(hostile) as (server, client):
        session = await cast("HttpClient", client)._fresh_session()
        connector = cast("GuardedConnector", session.connector)
        connector._socket_factory = roomy_socket
        assert await client.post(LARGE) == LOST
        assert server.requests == 0


@pytest.mark.parametrize(
    ("data", "when", "body"),
    [
        pytest.param(FAILED, When.MID_REQUEST, LARGE, id="before the request was sent"),
        pytest.param(FAILED + GOOD, When.ANSWER, BODY, id="with another answer"),
    ],
)
async def test_the_body_of_a_refusal_that_may_belong_to_another_request_is_not_whole(
    data: bytes, when: When, body: bytes
) -> None:
    hostile = HostileAnswer(name="uncertain", steps=(Send(data), Silence()), expected=Expected.RETRIED, when=when)
    async with speaking(hostile) as (_, client):
        assert await client.post(body) == replace(REFUSED, whole=False)


async def test_the_body_of_a_refusal_after_the_request_is_whole() -> None:
    hostile = HostileAnswer(name="refused", steps=(Send(FAILED),), expected=Expected.RETRIED)
    async with speaking(hostile) as (_, client):
        assert await client.post(BODY) == REFUSED


def roomy_socket(address: Any) -> socket.socket:
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    made.setblocking(False)  # noqa: FBT003 -- the library's
    return made


class Deaf(asyncio.Protocol):
    """A server that reads nothing."""

    def __init__(self) -> None:
        self.connected: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        made.pause_reading()
        self.connected.set_result(made)


@pytest.mark.parametrize("secured", [False, True])
async def test_what_waits_in_buffers_is_counted_on_plain_sockets_and_on_tls(
    authority: trustme.CA, *, secured: bool
) -> None:
    loop, deaf, talking = asyncio.get_running_loop(), Deaf(), BaseProtocol(asyncio.get_running_loop())
    server = await loop.create_server(lambda: deaf, "127.0.0.1", 0, ssl=server_context(authority) if secured else None)
    await loop.create_connection(
        lambda: talking,
        *server.sockets[0].getsockname(),
        ssl=aiohttp_connector._SSL_CONTEXT_VERIFIED if secured else None,
        server_hostname="localhost" if secured else None,
    )
    transport = talking.transport
    assert transport is not None
    descriptor = transport.get_extra_info("socket").fileno()
    transport.write(bytes(20_000_000))
    assert unsent_bytes(transport, descriptor) > 1_000_000
    for each in (transport, await deaf.connected):
        each.abort()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)
    assert unsent_bytes(None, -1) == 0


async def test_a_descriptor_that_cannot_tell_has_nothing_unsent() -> None:
    reading, writing = os.pipe()
    async with interrupting() as (server, client):
        assert await client.post(BODY) == REFUSED
        transport = cast("asyncio.Transport", server.writers[0].transport)
        assert unsent_bytes(transport, writing) == 0
    os.close(reading)
    os.close(writing)


async def test_tickets_of_tls_are_no_data_and_the_connection_is_kept(authority: trustme.CA) -> None:
    async with speaking(tls=server_context(authority)) as (server, client):
        for _ in range(10):
            assert await client.post(BODY) == ACCEPTED
        assert server.connections == 1


@pytest.mark.parametrize("when", [When.IDLE, When.CONNECTED])
async def test_bytes_that_nobody_asked_for_are_no_answer_on_tls(when: When, authority: trustme.CA) -> None:
    hostile = HostileAnswer(
        name="200", steps=(Send(GOOD), Silence()), expected=Expected.RETRIED, when=when, answer=FAILED
    )
    async with speaking(hostile, tls=server_context(authority)) as (server, client):
        answers: list[Response] = [await client.post(BODY)]
        await server.played.wait()
        answers.append(await client.post(BODY))
        assert answers == ([ACCEPTED, REFUSED] if when is When.IDLE else [LOST, REFUSED])
        assert server.connections == 2


async def test_bytes_a_moment_after_a_connection_was_opened_are_no_answer() -> None:
    steps = (Pause(0.005), Send(GOOD), Silence())
    hostile = HostileAnswer(name="late 200", steps=steps, expected=Expected.RETRIED, when=When.CONNECTED, answer=FAILED)
    async with speaking(hostile) as (_, client):
        assert [await client.post(BODY), await client.post(BODY)] == [LOST, REFUSED]


async def test_an_early_answer_on_tls_is_no_acceptance(authority: trustme.CA) -> None:
    hostile = HostileAnswer(
        name="early", steps=(Send(GOOD), Silence()), expected=Expected.RETRIED, when=When.MID_REQUEST
    )
    async with speaking(hostile, tls=server_context(authority)) as (_, client):
        assert await client.post(LARGE) == LOST
        assert await client.post(BODY) == ACCEPTED


@pytest.mark.parametrize(
    ("name", "validity", "fault", "says"),
    [
        ("localhost", {"not_before": NOW - 2 * DAY, "not_after": NOW - DAY}, CertificateFault.EXPIRED, "clock"),
        ("localhost", {"not_before": NOW + DAY, "not_after": NOW + 2 * DAY}, CertificateFault.NOT_VALID_YET, "clock"),
        ("another.test", {}, CertificateFault.ANOTHER_NAME, "the name in PIPELINE_SEGMENT_ENDPOINT"),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_is_told_with_its_cause(
    name: str, validity: dict[str, dt.datetime], fault: CertificateFault, says: str, authority: trustme.CA
) -> None:
    async with speaking(tls=server_context(authority, name, **validity)) as (server, client):
        assert await client.post(BODY) == Unanswered(failure=Failure.CERTIFICATE, certificate=fault)
        report = await api_of(f"https://localhost:{server.port}/v1/batch").probe()
        assert report.outcome is ProbeOutcome.UNREACHABLE
        assert says in report.lines[-1]
        assert server.requests == 0


async def test_an_issuer_that_is_not_known_is_told_as_such() -> None:
    async with speaking(tls=server_context(trustme.CA())) as (_, client):
        failed = Unanswered(failure=Failure.CERTIFICATE, certificate=CertificateFault.UNKNOWN_ISSUER)
        assert await client.post(BODY) == failed


async def test_other_failures_of_tls_are_tried_again() -> None:
    greeting = HostileAnswer(
        name="SMTP", steps=(Send(b"220 mail.test ESMTP\r\n"), Silence()), expected=Expected.RETRIED, when=When.CONNECTED
    )
    async with speaking(greeting) as (server, _):
        client = client_of(f"https://localhost:{server.port}/v1/batch")
        assert await client.post(BODY) == Unanswered(failure=Failure.TLS)
        await client.close()


async def test_the_library_still_has_what_the_guard_takes_the_place_of(authority: trustme.CA) -> None:
    assert issubclass(GuardedConnection, ResponseHandler)
    async with speaking(tls=server_context(authority)) as (_, client):
        await client.post(BODY)
        session = await cast("HttpClient", client)._fresh_session()
        connector = cast("GuardedConnector", session.connector)
        ((pooled, _),) = next(iter(connector._conns.values()))
        assert isinstance(pooled, GuardedConnection)
        below = cast("Any", pooled.transport)._ssl_protocol._transport
        assert below.get_write_buffer_size() == 0


def test_the_settle_time_is_short_beside_a_backoff() -> None:
    assert guarded_http.SETTLE_SECONDS < 0.05
