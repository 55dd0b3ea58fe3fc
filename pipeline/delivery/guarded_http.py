"""aiohttp, with the guarantee that only an answer to the request counts as its answer.

aiohttp 3.14 can treat unsolicited bytes from a server as the answer to the next request:

*   `ResponseHandler` (client_proto.py) stores bytes that arrive while no parser is set in `_tail`, and
    `set_response_params` feeds them to the next parser.
*   Bytes after an answer are parsed by that answer's parser and wait in `_buffer` for the next `read()`.
*   `BaseConnector._get` (connector.py) reuses a connection without checking either.
*   An answer counts although the request was not sent completely.
*   1xx answers are skipped without a limit (`ClientResponse.start`).
*   If one read contains a head and a malformed body, the head is lost too, because the parser raises before it returns
    the head (`HttpParser.feed_data`, _http_parser.pyx). The same happens to a head with two body lengths, which occurs
    when a proxy adds one.

The classes in this module change that:

1.  Bytes that arrive while no request is in flight close the connection (RFC 9112, 9.2). A connection that was used
    before is replaced silently. A new connection is watched for a moment first; if bytes arrive, the request fails.
2.  The socket is checked for the last time immediately before the request is written. Bytes that arrive later are not
    an answer while the request is incomplete, that is, while bytes of it are in a buffer of this process or not yet
    acknowledged by the server's TCP. A server that answers after it received the request sends that acknowledgement
    with its answer. An early answer counts only if it is not a 2xx; the connection is closed.
3.  If several final answers arrive in one read, they count as a 2xx only if all of them are.
4.  A 2xx or an error with a complete head counts, even if its body is malformed or its length contradictory. The body
    then ends with an exception or with the connection.
5.  At most `MAX_INTERIM_ANSWERS` 1xx answers are skipped.
6.  Where 2 to 4 let an irregular answer count, `GuardedResponse.uncertain` is set: its status counts, but its body may
    belong to another request or be incomplete.

Two cases cannot be distinguished from an answer: bytes that arrive between the last check and the first write (tens of
microseconds) if the network acknowledges without delay; and an early 2xx that is read late, after the server has
received the rest of the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import re
import select
import socket
import sys
import termios
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

from pipeline.delivery.answers import is_success

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket
    from collections.abc import Sequence

    from aiohttp import StreamReader
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client import ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_Answer: TypeAlias = "tuple[Any, StreamReader]"
"""A head from aiohttp's parser, and its body."""

SETTLE_SECONDS: Final = 0.02
MAX_SETTLE_SECONDS: Final = 0.5
"""The minimum and maximum time to watch a new connection for unsolicited bytes before its first request.

Between these, it is as long as connecting took, which is two round trips with TLS. Bytes that a server sends after its
session tickets may wait for an acknowledgement (Nagle's algorithm), which otherwise only the request would carry.
"""
MAX_INTERIM_ANSWERS: Final = 20
_SETTLE_SLICES: Final = 8
_LOOKS: Final = 5
_ANOTHER: Final = b"HTTP/"
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_FINAL_ANSWER: Final = re.compile(rb"HTTP/1\.[01] [2-9]\d\d\b")
_LENGTHS: Final = re.compile(
    rb"^(content-length|transfer-encoding):[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE
)
_MOST_DIGITS: Final = 18
"""The parser cannot represent a length with more digits."""
_CARRIED_BYTES: Final = 2
"""The end of a head has at most three bytes, so two of them may be in an earlier read."""


class GuardedConnection(ResponseHandler):
    """A connection that knows which bytes can belong to an answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._socket: TransportSocket
        self._descriptor = -1
        self._readable = select.poll()
        self.used = False
        self._unsolicited = False
        self._reset()

    def _reset(self) -> None:
        self._writing = False  # writing a request has begun
        self._written = False  # aiohttp has written all of it
        self._early = False  # a part of the answer arrived too early
        self._interim = 0
        self._carried = b""  # the last bytes of an incomplete head
        self._answers: list[_Answer] = []
        self._delivered = False
        self.uncertain = False  # the body may belong to another request or be incomplete
        self._broken = False  # the bytes after the head are not the announced body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the connection is open."""
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket")
        self._descriptor = self._socket.fileno()
        self._readable.register(self._descriptor, select.POLLIN)

    async def settle(self, connecting_seconds: float) -> None:
        """Wait for bytes that a server sends on a new connection, and acknowledge them at once.

        The wait is split into slices, so that a pause of the whole machine does not consume all of it.
        """
        seconds = min(max(SETTLE_SECONDS, connecting_seconds), MAX_SETTLE_SECONDS)
        for _ in range(_SETTLE_SLICES):
            await asyncio.sleep(seconds / _SETTLE_SLICES)
            if self._unsolicited or not self.is_connected():
                return
            _acknowledge_now(self._socket)

    async def is_quiet(self) -> bool:
        """Return whether no unsolicited bytes have arrived and the server has not closed the connection.

        True describes the socket at this moment. Records of TLS itself are read here, and do not count.
        """
        for _ in range(_LOOKS):
            if self._unsolicited or not self.is_connected():
                return False
            if not self._readable.poll(0):
                return True
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the first lets the loop poll the socket, the second lets it read
        return False

    def seems_quiet(self) -> bool:
        """Return the result of `is_quiet` without waiting; false also if it is not clear yet."""
        return self.is_connected() and not (self._unsolicited or self._readable.poll(0))

    def set_response_params(self, **parameters: Any) -> None:
        """Called by aiohttp when it has chosen this connection for a request, before it is written."""
        self._reset()
        super().set_response_params(**parameters)

    def begin(self) -> None:
        """Called immediately before a request is written. From now on, bytes may be an answer."""
        self.used = True
        self._writing = True

    def start_timeout(self) -> None:
        """Called by aiohttp when it has written the request."""
        self._written = True
        super().start_timeout()

    def data_received(self, data: bytes) -> None:
        """Called with bytes from the server, or with none when aiohttp resumes parsing."""
        if not data:
            super().data_received(data)
        elif not self._writing or (self._delivered and self._is_over()):
            self._refuse()
        elif self._delivered:
            super().data_received(data)
            if self._is_over() and (len(self._answers) > 1 or self._has_begun_another()):
                self._refuse()
        else:
            self._read_answer(data)

    def feed_data(self, data: _Answer, size: int = 0) -> None:
        """Called with each parsed head. Keep it until the bytes of the same read are parsed too."""
        del size
        code = data[0].code
        if HTTPStatus.CONTINUE <= code < HTTPStatus.OK and code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._interim += 1
        else:
            self._answers.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Called when the connection failed or the bytes are not HTTP. After a complete head, only the body fails."""
        cause = exc if exc_cause is None else exc_cause
        if not self._answers:
            super().set_exception(exc, cause)
            return
        self.force_close()
        self._broken = True
        payload = self._answers[0][1]
        if not payload.is_eof() and payload.exception() is None:
            set_exception(payload, aiohttp.ClientPayloadError("the body is incomplete"), cause)

    def _read_answer(self, data: bytes) -> None:
        """Feed the parser head by head, then the bytes after the final head, and deliver the answer if it counts."""
        early = self._early or not self._is_sent_whole()
        rest = data
        while rest and not self._answers and self._exception is None:
            end = self._end_of_head(rest)
            super().data_received(self._with_one_length(rest[:end]))
            rest = rest[end:]
            if self._interim > MAX_INTERIM_ANSWERS:
                self._fail("too many 1xx answers")
                return
        self._early = early and bool(self._answers or self._carried)
        if self._answers:
            if rest:
                super().data_received(rest)
            self._deliver(rest)

    def _end_of_head(self, data: bytes) -> int:
        """Return where a head ends in the data, or the length of the data if it does not end there."""
        window = self._carried + data
        if (found := _END_OF_HEAD.search(window)) is None:
            self._carried = window[-_CARRIED_BYTES:]
            return len(data)
        end = found.end() - len(self._carried)
        self._carried = b""
        return end

    def _with_one_length(self, head: bytes) -> bytes:
        """Return a head that the parser accepts. With contradictory body lengths, the connection ends the body."""
        if _FINAL_ANSWER.match(head) is None or _is_one_length(_LENGTHS.findall(head)):
            return head
        self.force_close()
        self._broken = True
        return _LENGTHS.sub(b"", head)

    def _deliver(self, rest: bytes) -> None:
        begun = _ANOTHER in rest if self._broken else self._has_begun_another()
        alone = len(self._answers) == 1 and not begun
        doubtful = self._early or not (alone or (not begun and all(map(_is_success, self._answers))))
        if doubtful and _is_success(self._answers[0]):
            self._fail("an answer arrived before the request was sent, or together with another answer")
            return
        self.uncertain = self._early or not alone or self._broken
        if self.uncertain:
            self.force_close()
        self._delivered = True
        super().feed_data(self._answers[0], 0)

    def _has_begun_another(self) -> bool:
        """Return whether the parser has begun another head. At the end of its input it returns an incomplete head."""
        if not self._answers[0][1].is_eof() or self._parser is None:
            return False
        try:
            return self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001 -- any error means malformed bytes
            return True

    def _is_over(self) -> bool:
        return self._answers[0][1].is_eof()

    def _is_sent_whole(self) -> bool:
        return self._written and not unsent_bytes(self.transport, self._descriptor)

    def _refuse(self) -> None:
        """Close a connection that received unsolicited bytes. It may be in aiohttp's pool already."""
        self._unsolicited = True
        self.force_close()
        self._abort()

    def _fail(self, why: str) -> None:
        self._answers.clear()
        self._abort()
        self.set_exception(aiohttp.ServerDisconnectedError(why))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class GuardedConnector(aiohttp.TCPConnector):
    """Returns only connections that received no unsolicited bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        make: type[ResponseHandler] = GuardedConnection
        self._factory = functools.partial(make, loop=self._loop)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 -- the name in aiohttp
    ) -> Connection:
        """Return a connection for one request.

        Raises:
            aiohttp.ClientError: connecting failed, or a new connection received unsolicited bytes.
        """
        while True:
            began = self._loop.time()
            connection = await super().connect(req, traces, timeout)
            guarded: Any = connection.protocol
            if (used := guarded.used) and guarded.seems_quiet():
                return connection
            try:
                if not used:
                    await guarded.settle(self._loop.time() - began)
                if await guarded.is_quiet():
                    return connection
            except BaseException:
                connection.close()
                raise
            connection.close()
            if not used:
                raise aiohttp.ServerDisconnectedError("unsolicited bytes arrived")


class GuardedResponse(aiohttp.ClientResponse):
    """A response that knows whether its body may belong to another request or be incomplete."""

    uncertain = False

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head of the answer."""
        guarded: Any = connection.protocol  # the connection loses it when the body is complete
        await super().start(connection)
        self.uncertain = guarded.uncertain
        return self


class GuardedRequest(aiohttp.ClientRequest):
    """A request that is written only to a connection that received no unsolicited bytes."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write the request. Nothing is awaited between the last check of the socket and the first write."""
        guarded: Any = conn.protocol
        if guarded.seems_quiet() or await guarded.is_quiet():
            guarded.begin()
            await super().write_bytes(writer, conn, content_length)
        else:
            guarded.set_exception(aiohttp.ServerDisconnectedError("unsolicited bytes arrived"))
            conn.close()


def unsent_bytes(transport: asyncio.Transport | None, descriptor: int) -> int:
    """Return how many bytes wait in asyncio's buffers or, if none, are not acknowledged by the server's TCP."""
    if transport is None:
        return 0
    # asyncio's TLS transport does not count the buffer of its TCP transport (sslproto.py, _get_write_buffer_size).
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    waiting = transport.get_write_buffer_size() + (0 if below is None else below.get_write_buffer_size())
    return waiting or _unacknowledged_bytes(descriptor)


def _acknowledge_now(connection: TransportSocket) -> None:
    """Make TCP send a delayed acknowledgement now (Linux: tcp(7), TCP_QUICKACK)."""
    if (option := getattr(socket, "TCP_QUICKACK", None)) is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, 1)


def _unacknowledged_bytes(descriptor: int) -> int:
    """Return the bytes that the server's TCP has not acknowledged (Linux: tcp(7), SIOCOUTQ), 0 if unknown."""
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def _is_success(answer: _Answer) -> bool:
    return is_success(answer[0].code)


def _is_one_length(lengths: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether a head has at most one valid body length. ``lengths`` are names and values of headers."""
    match lengths:
        case []:
            return True
        case [(name, value)]:
            return name.lower() != b"content-length" or (value.isdigit() and len(value) <= _MOST_DIGITS)
        case _:
            return False
