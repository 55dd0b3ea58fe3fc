from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from pipeline.kafka.admin import admin_client
from pipeline.kafka.connection import ConnectionOptions
from pipeline.kafka.errors import KafkaUnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(conversation: Conversation, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def _speak_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def _refusal(connection: ConnectionOptions, *, timeout_seconds: float = 5) -> str:
    with pytest.raises(KafkaUnreachableError) as refused:
        async with admin_client(connection, timeout_seconds=timeout_seconds):
            raise AssertionError("nobody is there")
    return str(refused.value)


def _plain(servers: str) -> ConnectionOptions:
    return ConnectionOptions(bootstrap_servers=servers, security_protocol="PLAINTEXT")


async def test_a_port_where_nobody_listens_is_named_with_what_to_check() -> None:
    told = await _refusal(_plain("127.0.0.1:1,[::1]:1"))
    first, *refusals = told.splitlines()
    assert first == "No Kafka broker can be used."
    assert [line.split(" ")[0] for line in refusals] == ["127.0.0.1:1:", "[::1]:1:"]
    assert all("check PIPELINE_KAFKA_BOOTSTRAP_SERVERS, and that the broker runs" in line for line in refusals)


@pytest.mark.parametrize("conversation", [_hang_up, _speak_http])
async def test_a_server_that_is_no_broker_is_told_from_an_absent_one(conversation: Conversation) -> None:
    async with _listening(conversation) as server:
        told = await _refusal(_plain(server))
    assert "check that it is a Kafka broker's address" in told
    assert "PIPELINE_KAFKA_SECURITY_PROTOCOL" in told


async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_allowed() -> None:
    async with _listening(_say_nothing) as server:
        told = await _refusal(_plain(server), timeout_seconds=0.05)
    assert f"{server}: no answer in time: check that it is a Kafka broker's address" in told


async def test_a_certificate_that_is_not_trusted_is_told_from_an_absent_broker() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with _listening(_say_nothing, context) as server:
        told = await _refusal(
            ConnectionOptions(
                bootstrap_servers=server, security_protocol="SSL", ssl_context=ssl.create_default_context()
            )
        )
    assert "its certificate is not trusted" in told
    assert "check that PIPELINE_KAFKA_SSL_CA_FILE contains the authority of the broker's certificate" in told


async def test_a_certificate_that_has_expired_points_to_the_clock() -> None:
    authority, context, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_before=now - 2 * day, not_after=now - day).configure_cert(context)
    authority.configure_trust(trusting)
    async with _listening(_say_nothing, context) as server:
        told = await _refusal(
            ConnectionOptions(bootstrap_servers=server, security_protocol="SSL", ssl_context=trusting)
        )
    assert "certificate has expired: correct this machine's clock if it is ahead, or else give the broker" in told
    assert "PIPELINE_KAFKA_SSL_CA_FILE" not in told


@pytest.mark.parametrize("name", ["another.host", "127.0.0.2"])
async def test_a_certificate_of_another_host_is_told_from_one_that_is_not_trusted(name: str) -> None:
    authority, context, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(context)
    authority.configure_trust(trusting)
    async with _listening(_say_nothing, context) as server:
        told = await _refusal(
            ConnectionOptions(bootstrap_servers=server, security_protocol="SSL", ssl_context=trusting)
        )
    assert "mismatch, certificate is not valid for '127.0.0.1'" in told
    assert "PIPELINE_KAFKA_SSL_CHECK_HOSTNAME" in told
    assert "PIPELINE_KAFKA_SSL_CA_FILE" not in told
