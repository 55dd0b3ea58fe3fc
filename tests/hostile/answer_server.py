"""A server that sends one hostile answer on plain sockets, and behaves correctly from then on."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from typing import TYPE_CHECKING, Final

from tests.hostile.answers import GOOD, Close, Drip, Expected, Flood, Pause, Reset, Send, Silence, When

if TYPE_CHECKING:
    import ssl

    from tests.hostile.answers import HostileAnswer, Step

LARGE_BYTES: Final = 200_000
"""Only a request that exceeds the sockets' buffers is answered before it was read; smaller ones get a good answer."""
_RECEIVE_BYTES: Final = 4_096
_PART: Final = 4
_IDLE_SECONDS: Final = 0.05
"""A connection is idle when one request was answered and none has come for this long."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class AnswerServer:
    """Sends an answer ``times`` times, then answers each request with a good 200.

    ``accepted`` are the bodies that the server has acknowledged on purpose, in the order in which it did; ``requests``
    counts what was read whole, and ``connections`` what was accepted. ``turn`` is set when the steps were played,
    ``played`` when they were played for the last time.
    """

    def __init__(self, hostile: HostileAnswer | None = None, *, times: int = 1) -> None:
        self._hostile = hostile
        self._left = times if hostile is not None else 0
        self._owed = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.accepted: list[bytes] = []
        self.requests = 0
        self.connections = 0
        self.turn = asyncio.Event()
        self.played = asyncio.Event()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/batch"

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port of this machine."""
        listening = socket.create_server(("127.0.0.1", 0))
        if self._hostile is not None and self._hostile.when is When.MID_REQUEST:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._server = await asyncio.start_server(self._accept, sock=listening, ssl=tls)

    async def stop(self) -> None:
        """Close every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(_IDLE_SECONDS)  # so that TLS transports end, also those whose handshake failed

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.append(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the streams of asyncio would log it
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        goes_on = not self._plays(When.CONNECTED) or await self._play_unasked(reader, writer)
        while goes_on:
            try:
                async with asyncio.timeout(_IDLE_SECONDS if self._plays(When.IDLE) and self.requests else None):
                    head = await reader.readuntil(b"\r\n\r\n")
            except TimeoutError:
                goes_on = await self._play_unasked(reader, writer)
                continue
            length = _LENGTH.search(head)
            goes_on = await self._answer(int(length[1]) if length else 0, reader, writer)

    async def _answer(self, size: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read the body of a request and answer it; return False when the connection can carry no further request."""
        if self._plays(When.MID_REQUEST) and size >= LARGE_BYTES:
            await reader.readexactly(size // _PART)
            # Reading on would acknowledge at TCP level: a client that looks late would see the request as received in
            # time.
            writer.transport.pause_reading()  # type: ignore[attr-defined] # typeshed has it write alone
            return await self._play(reader, writer)
        body = await reader.readexactly(size)
        self.requests += 1
        if self._plays(When.ANSWER):
            assert self._hostile is not None
            if self._hostile.expected is Expected.ACCEPTED:
                self.accepted.append(body)
            return await self._play(reader, writer)
        answer = GOOD
        if self._owed:
            assert self._hostile is not None
            self._owed, answer = self._owed - 1, self._hostile.answer
        if answer == GOOD:
            self.accepted.append(body)
        writer.write(answer)
        await writer.drain()
        return True

    def _plays(self, when: When) -> bool:
        return self._left > 0 and self._hostile is not None and self._hostile.when is when

    async def _play_unasked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self._owed += 1
        await self._play(reader, writer)
        return not writer.is_closing()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        assert self._hostile is not None
        self._left -= 1
        try:
            for step in self._hostile.steps:
                await _take(step, writer)
        finally:
            self.turn.set()
            if not self._left:
                self.played.set()
        last = self._hostile.steps[-1]
        if isinstance(last, Silence):
            match self._hostile.when:
                case When.MID_REQUEST:
                    await asyncio.Event().wait()  # until the server stops
                case When.ANSWER:
                    await _until_the_other_side_closes(reader)
                case When.IDLE | When.CONNECTED:
                    pass
        return not (writer.is_closing() or isinstance(last, Silence))


async def _take(step: Step, writer: asyncio.StreamWriter) -> None:
    match step:
        case Send(data=data):
            writer.write(data)
            await writer.drain()
        case Drip(data=data, pause_seconds=pause, endless=endless):
            await _drip(data, pause, writer, endless=endless)
        case Flood(data=data):
            await _flood(data, writer)
        case Pause(seconds=seconds):
            await asyncio.sleep(seconds)
        case Close():
            writer.close()
        case Reset():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        case Silence():
            pass


async def _drip(data: bytes, pause: float, writer: asyncio.StreamWriter, *, endless: bool) -> None:
    while True:
        for each in data:
            writer.write(bytes((each,)))
            await writer.drain()
            await asyncio.sleep(pause)
        if not endless:
            return


async def _flood(data: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)


async def _until_the_other_side_closes(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65_536):
            pass
