"""An HTTP server that reads a request to its end and accepts it: the cheapest possible destination.

The benchmark's machine has few cores. What the destination does slows the sink's own core down, and the stand-in parses
and remembers every record, so it would be measured too.

``python -m tests.bench.destination`` prints its endpoints as one line of JSON. To a request for Mixpanel it answers how
many events it contains.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"success":true}'
_IMPORTED = b'{"code":200,"num_records_imported":%d,"status":"OK"}'
_IMPORTED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_IMPORT = b"POST /import"
_EVENT = b'"$insert_id":'
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One request after another; a client that sends the next one before the answer is not served.

    `answered` is called with each body whose answer was written.
    """

    def __init__(self, answered: Callable[[bytes], None] | None = None) -> None:
        self._answered = answered
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._missing = 0
        self._imports = False
        self._events = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport if isinstance(transport, asyncio.Transport) else None

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            end = self._head.find(_END_OF_HEAD)
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            self._missing = int(length[1]) if length else 0
            self._imports = self._head.startswith(_IMPORT)
            self._events, self._rest = 0, b""
            data, self._head = self._head[end + len(_END_OF_HEAD) :], b""
        self._missing -= len(data)
        if self._imports:
            self._count(data)
        if self._answered is not None:
            self._body += data
        if self._missing <= 0 and self._transport is not None:
            self._missing = 0
            self._transport.write(self._answer())
            if self._answered is not None:
                self._answered(bytes(self._body))
                self._body.clear()

    def _count(self, data: bytes) -> None:
        """Count the events in the next piece of a body; a mark may be in two pieces."""
        piece = self._rest + data
        self._events += piece.count(_EVENT)
        self._rest = piece[1 - len(_EVENT) :]

    def _answer(self) -> bytes:
        if not self._imports:
            return _ANSWER
        body = _IMPORTED % self._events
        return _IMPORTED_HEAD % len(body) + body


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    address = f"http://{host}:{port}"
    print(json.dumps({"segment": f"{address}/v1/batch", "mixpanel": f"{address}/import"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
