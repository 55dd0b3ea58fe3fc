from __future__ import annotations

import asyncio
import socket

from tests.hostile.play_answers import _has_sent


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
