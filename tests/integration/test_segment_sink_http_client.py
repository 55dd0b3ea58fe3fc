"""One connection to the stand-in, and to servers that are not Segment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from pipeline.delivery.answers import Answered, Failure, Unanswered
from pipeline.delivery.client import CONNECTION_AGE_SECONDS, HttpClient
from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.local.stand_ins.faults import AnswerStatus, Stall
from pipeline.sinks.segment.api import MAX_ANSWER_BYTES, SegmentApi
from pipeline.sinks.segment.body import build_body
from pipeline.sinks.segment.options import SegmentOptions
from tests.fakes.segment import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCEPTED = Answered(status=200, content_type="application/json; charset=utf-8", body=b'{"success":true}')
BODY = build_body([record("a")], sent_at=0.0)


@pytest.fixture
async def stand_in() -> AsyncIterator[SegmentStandIn]:
    made = SegmentStandIn()
    await made.start()
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def client_of(endpoint: str, **changes: Any) -> AsyncIterator[HttpClient]:
    client = SegmentApi(SegmentOptions(endpoint=endpoint, write_key=SecretStr(WRITE_KEY), **changes)).connect()
    assert isinstance(client, HttpClient)
    try:
        yield client
    finally:
        await client.close()


async def test_a_batch_is_posted_with_basic_auth(stand_in: SegmentStandIn) -> None:
    async with client_of(stand_in.endpoint) as client:
        assert await client.post(BODY) == ACCEPTED
    assert list(stand_in.ledger.accepted) == ["a"]


async def test_closing_twice_is_closing_once(stand_in: SegmentStandIn) -> None:
    async with client_of(stand_in.endpoint) as client:
        await client.post(BODY)
        await client.close()


async def test_the_status_the_header_and_the_beginning_of_the_body_come_back(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(AnswerStatus(status=429, retry_after="7", body="x" * 1_000_000))
    async with client_of(stand_in.endpoint) as client:
        answer = await client.post(BODY)
        assert isinstance(answer, Answered)
        assert (answer.status, answer.retry_after, answer.whole) == (429, "7", False)
        assert answer.body == b"x" * MAX_ANSWER_BYTES
        assert await client.post(BODY) == ACCEPTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(stand_in: SegmentStandIn, status: int) -> None:
    elsewhere = SegmentStandIn()
    await elsewhere.start()
    try:
        stand_in.faults.order(AnswerStatus(status=status, location=elsewhere.endpoint))
        async with client_of(stand_in.endpoint) as client:
            answer = await client.post(BODY)
        assert isinstance(answer, Answered)
        assert (answer.status, answer.body) == (status, b'{"success":false}')
        assert not elsewhere.ledger.requests, "the body and the write key went elsewhere"
    finally:
        await elsewhere.stop()


async def test_a_connection_is_renewed_when_it_is_old(stand_in: SegmentStandIn) -> None:
    async with client_of(stand_in.endpoint) as client:
        await client.post(BODY)
        first = client._session
        await client.post(BODY)
        assert client._session is first
        client._opened_at -= CONNECTION_AGE_SECONDS
        await client.post(BODY)
        assert client._session is not first
        assert first is not None
        assert first.closed


async def test_a_server_that_does_not_answer_in_time_is_a_timeout(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(Stall())
    async with client_of(stand_in.endpoint, request_timeout_seconds=0.05) as client:
        assert await client.post(BODY) == Unanswered(failure=Failure.TIMEOUT)


async def test_a_port_where_nobody_listens_is_not_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}/v1/batch") as client:
        assert await client.post(BODY) == Unanswered(failure=Failure.NOT_CONNECTED)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"])
async def test_a_server_that_does_not_speak_http_to_the_end_is_a_lost_connection(answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client_of(f"http://127.0.0.1:{port}/v1/batch") as client:
        assert await client.post(BODY) == Unanswered(failure=Failure.CONNECTION_LOST)


async def test_a_request_that_is_cancelled_closes_its_connection(stand_in: SegmentStandIn) -> None:
    stand_in.faults.order(Stall())
    async with client_of(stand_in.endpoint) as client:
        posting = asyncio.ensure_future(client.post(BODY))
        await stand_in.arrived(1)
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting
        assert (await client.post(BODY)) == ACCEPTED
    assert [request.records for request in stand_in.ledger.requests] == [1]
