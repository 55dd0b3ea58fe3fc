"""A TCP proxy on loopback whose connections can be cut, silent or slow."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from tests.loopback import free_ports

_CHUNK_BYTES: Final = 64 * 1024


class ProxiedListener:
    """A second listener of Kafka, at ``port``; clients that connect there are told that it is at ``told_port``."""

    def __init__(self, *, advertised_port: int) -> None:
        self.port = 0
        self._told_port = advertised_port

    def properties(self, port: int, controller_port: int) -> dict[str, str]:
        """Return Kafka's configuration: that listener, and timeouts after which it soon forgets the killed broker."""
        (self.port,) = free_ports(1)
        plain = f"PLAINTEXT://127.0.0.1:{port}"
        return {
            "listeners": f"{plain},PROXIED://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"{plain},PROXIED://127.0.0.1:{self._told_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }


class Proxy:
    """Forwards connections to ``upstream_port``.

    It listens before that port is known, since Kafka needs the proxy's port.
    """

    def __init__(self) -> None:
        self.upstream_port = 0
        self.delay_seconds = 0.0
        self.refuses = False
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def silence(self) -> None:
        """Forward nothing any more; connections stay open, as with an unplugged cable."""
        self._open.clear()

    def heal(self) -> None:
        """Forward everything again, at once."""
        self.delay_seconds = 0.0
        self.refuses = False
        self._open.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if not self.refuses:
                await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        self._writers.add(up_writer)
        ways = [asyncio.create_task(self._pump(reader, up_writer)), asyncio.create_task(self._pump(up_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers.discard(up_writer)
            up_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._open.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(chunk)
                await writer.drain()
