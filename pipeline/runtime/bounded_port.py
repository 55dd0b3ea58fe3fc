"""A TCP port whose clients cannot exhaust the process: few connections, each short and small.

asyncio's own server has no limit. When the process runs out of file descriptors, it reports one failed `accept` as
often as its backlog is long, and schedules as many retries, each of which does the same (CPython,
`selector_events.py`, `_accept_connection`). So connections are accepted here; transports and protocols are asyncio's.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger(__name__)

_MOST_CONNECTIONS: Final = 64
_FEWEST_CONNECTIONS: Final = 8
_SHARE_OF_DESCRIPTORS: Final = 8
_BACKLOG: Final = 1_024
"""A waiting connection costs no descriptor, and a probe that finds the backlog full retries only after seconds."""
_ACCEPTED_AT_ONCE: Final = 16
"""Fewer than the connections, so that a client that sends its request at once is read before others displace it."""
_REST_SECONDS: Final = 1.0
_WARNING_SECONDS: Final = 60.0


def affordable_connections() -> int:
    """Return how many connections this process has descriptors for: an eighth of its limit, from 8 to 64."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, limit // _SHARE_OF_DESCRIPTORS))


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLimits:
    """The limits of clients. A connection ends after its lifetime, and when it sends more bytes than allowed.

    The lifetime exceeds the 10 s that Prometheus waits by default, and the seconds that probes wait.
    """

    connections: int = _MOST_CONNECTIONS
    lifetime_seconds: float = 15.0
    request_bytes: int = 16_384


class BoundedPort:
    """Accepts connections. Above the limit a new one displaces the oldest that is not being answered."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], limits: PortLimits) -> None:
        self._protocol = protocol
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._connections: dict[_Connection, None] = {}
        self._opening: set[asyncio.Task[object]] = set()
        self._next_warnings: dict[str, float] = {}

    @property
    def port(self) -> int:
        """The port that is open; 0 when none is."""
        port: int = self._sockets[0].getsockname()[1] if self._sockets else 0
        return port

    async def listen(self, host: str, port: int) -> None:
        """Listen on every address of ``host``.

        Raises:
            OSError: the port is in use, or the host is not an address of this machine.
        """
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
                self._sockets.append(socket.create_server(address, family=family, backlog=_BACKLOG))
        except OSError:
            self._close_sockets()
            raise
        for listening in self._sockets:
            listening.settimeout(0)
            self._resume(listening)

    async def close(self) -> None:
        """Stop listening, and close every connection at once."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._close_sockets()
        if self._opening:
            await asyncio.wait(self._opening)
        while self._connections:
            self._end(next(iter(self._connections)))

    def _close_sockets(self) -> None:
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(listening, error)
                return
            self._open(accepted)

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        """Close the oldest connection, if any, to free its descriptor; accept again later."""
        self._warn("status port cannot accept connections", cause=error.strerror, **_descriptors())
        self._end_oldest()
        self._loop.remove_reader(listening)
        self._loop.call_later(_REST_SECONDS, self._resume, listening)

    def _open(self, accepted: socket.socket) -> None:
        if len(self._connections) >= self._limits.connections:
            self._warn(
                "status port is full, closing the oldest connections; find out what keeps them open",
                connections=len(self._connections),
            )
            self._end_oldest()
        connection = _Connection(self._protocol(), self._limits, self._forget)
        self._connections[connection] = None
        opening = self._loop.create_task(self._loop.connect_accepted_socket(lambda: connection, accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def _end_oldest(self) -> None:
        idle = (connection for connection in self._connections if not connection.is_being_answered)
        oldest = next(idle, None) or next(iter(self._connections), None)
        if oldest is not None:
            self._end(oldest)

    def _end(self, connection: _Connection) -> None:
        self._forget(connection)
        connection.end()

    def _forget(self, connection: _Connection) -> None:
        self._connections.pop(connection, None)

    def _warn(self, event: str, **facts: object) -> None:
        """Log a warning, at most once a minute."""
        now = self._loop.time()
        if now >= self._next_warnings.get(event, now):
            self._next_warnings[event] = now + _WARNING_SECONDS
            logger.warning(event, **facts)


class _Connection(asyncio.Protocol):
    """Forwards everything to another protocol, within the limits."""

    def __init__(self, protocol: asyncio.Protocol, limits: PortLimits, on_lost: Callable[[_Connection], None]) -> None:
        self._protocol = protocol
        self._bytes_left = limits.request_bytes
        self._on_lost = on_lost
        self._ended = False
        self._transport: asyncio.Transport | None = None
        self._deadline = asyncio.get_running_loop().call_later(limits.lifetime_seconds, self.end)

    @property
    def is_being_answered(self) -> bool:
        """Whether a part of its answer still waits for the client."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._protocol.connection_made(transport)
        if self._ended:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self.end()
        else:
            self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._deadline.cancel()
        self._on_lost(self)
        self._protocol.connection_lost(error)

    def end(self) -> None:
        """Close without waiting for the client; the unsent rest of its answer is dropped."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()


def _descriptors() -> dict[str, int]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"open_files_limit": limit}
