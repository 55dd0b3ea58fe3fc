from __future__ import annotations

import asyncio
import socket

import pytest

from tests.hostile.answers import Expected, HostileAnswer, When
from tests.hostile.play_answers import _faults, _has_sent


async def test_what_was_sent_and_not_read_is_seen_without_reading_it() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.transport.pause_reading()  # type: ignore[attr-defined] # it is one that reads, too
    assert not _has_sent(writer)
    theirs.sendall(b"POST")
    assert _has_sent(writer)
    writer.transport.resume_reading()  # type: ignore[attr-defined] # likewise
    assert await reader.readexactly(4) == b"POST"
    assert not _has_sent(writer)
    writer.close()
    await writer.wait_closed()
    theirs.close()


@pytest.mark.parametrize(
    ("when", "asked", "faults"),
    [
        (When.ANSWER, 3, []),
        (When.ANSWER, 2, ["its records were not sent one by one"]),
        (When.MID_REQUEST, 2, []),
        (When.MID_REQUEST, 1, ["its records were not sent one by one"]),
    ],
)
def test_records_of_a_refused_request_are_sent_one_by_one(when: When, asked: int, faults: list[str]) -> None:
    refused = HostileAnswer(name="n", steps=(), expected=Expected.REFUSED, when=when)
    assert _faults(refused, asked=asked, log="") == faults
