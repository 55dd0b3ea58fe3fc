from __future__ import annotations

import asyncio
import gzip
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from pipeline.delivery.answer_body import AnswerBody, read_body, unpacked
from tests.fakes.virtual_time import run_virtual


def stream(loop: asyncio.AbstractEventLoop) -> aiohttp.StreamReader:
    protocol = BaseProtocol(loop)
    protocol.transport = asyncio.Transport()
    return aiohttp.StreamReader(protocol, 65_536, loop=loop)


def body_of(*chunks: bytes, ended: bool, error: Exception | None = None) -> AnswerBody:
    async def scene() -> AnswerBody:
        loop = asyncio.get_running_loop()
        content = stream(loop)

        async def feed() -> None:
            for chunk in chunks:
                await asyncio.sleep(0.4)
                content.feed_data(chunk)
            if ended:
                content.feed_eof()
            if error is not None:
                content.set_exception(error)

        feeding = asyncio.ensure_future(feed())
        read = await read_body(content, max_bytes=10, seconds=1.0)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        return read

    return run_virtual(scene())


@pytest.mark.parametrize(
    ("chunks", "more", "read"),
    [
        ([], {"ended": True}, AnswerBody(beginning=b"", whole=True)),
        ([b"ab", b"cd"], {"ended": True}, AnswerBody(beginning=b"abcd", whole=True)),
        ([b"ab", b"cd"], {"ended": False}, AnswerBody(beginning=b"abcd", whole=False)),
        ([b"ab", b"cd", b"ef"], {"ended": True}, AnswerBody(beginning=b"abcd", whole=False)),
        ([b"ab"], {"ended": False, "error": aiohttp.ClientPayloadError()}, AnswerBody(beginning=b"ab", whole=False)),
        ([], {"ended": False, "error": ConnectionResetError()}, AnswerBody(beginning=b"", whole=False)),
        ([b"x" * 11], {"ended": True}, AnswerBody(beginning=b"x" * 10, whole=False)),
        ([b"x" * 10], {"ended": True}, AnswerBody(beginning=b"x" * 10, whole=True)),
    ],
)
def test_a_body_is_read_to_a_bound_and_a_deadline(chunks: list[bytes], more: dict[str, Any], read: AnswerBody) -> None:
    assert body_of(*chunks, **more) == read


def test_a_body_that_is_there_is_not_waited_for() -> None:
    async def scene() -> list[AnswerBody]:
        loop = asyncio.get_running_loop()
        bodies = []
        for data in (b"", b"abc", b"x" * 11):
            content = stream(loop)
            content.feed_data(data)
            content.feed_eof()
            bodies.append(await read_body(content, max_bytes=10, seconds=0.0))
        return bodies

    assert run_virtual(scene()) == [
        AnswerBody(beginning=b"", whole=True),
        AnswerBody(beginning=b"abc", whole=True),
        AnswerBody(beginning=b"x" * 10, whole=False),
    ]


PACKED = gzip.compress(b'{"success":true}')


@pytest.mark.parametrize(
    ("received", "encoding", "beginning", "whole"),
    [
        (b"abc", None, b"abc", True),
        (b"abc", "identity", b"abc", True),
        (PACKED, "gzip", b'{"success":true}', True),
        (PACKED, "GZIP", b'{"success":true}', True),
        (b"", "gzip", b"", True),
        (gzip.compress(b"x" * 100), "gzip", b"x" * 100, True),
        (gzip.compress(b"x" * 101), "gzip", b"x" * 100, False),
        (PACKED[:-6], "gzip", b'{"success":true}', False),
        (PACKED + PACKED, "gzip", b'{"success":true}', False),
        (gzip.compress(bytes(10_000_000)), "gzip", bytes(100), False),
        (b"abc", "gzip", b"", False),
        (b"abc", "br", b"", False),
        (b"abc", "gzip, gzip", b"", False),
    ],
)
def test_a_body_is_unpacked_to_a_bound_and_is_whole_only_if_nothing_of_it_is_missing(
    received: bytes, encoding: str | None, beginning: bytes, *, whole: bool
) -> None:
    body = unpacked(AnswerBody(beginning=received, whole=True), encoding, max_bytes=100)
    assert body == AnswerBody(beginning=beginning, whole=whole)


@pytest.mark.parametrize("encoding", [None, "gzip", "br"])
def test_a_body_that_did_not_arrive_whole_is_not_whole_when_unpacked(encoding: str | None) -> None:
    assert not unpacked(AnswerBody(beginning=PACKED, whole=False), encoding, max_bytes=100).whole
