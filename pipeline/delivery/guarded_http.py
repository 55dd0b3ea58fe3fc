"""aiohttp, with the guarantee that only an answer to the request counts as its answer.

aiohttp 3.14 takes what a server sends without being asked for the answer to the next request: `ResponseHandler`
(client_proto.py) keeps bytes that come while no parser is set in `_tail`, which `set_response_params` feeds to the next
parser; what comes after an answer is parsed by the parser of that answer and waits in `_buffer`, where the next
`read()` finds it; and `BaseConnector._get` (connector.py) hands out connections without a look at either. An answer
counts though the request was not sent whole, and 1xx answers are skipped without a limit
(`ClientResponse.start`). Where a head and a body that is broken come in one read, the head is lost as well, for the
parser raises before it hands out what it has (`HttpParser.feed_data`, _http_parser.pyx). So is a head that says two
things of its body's length, as proxies do that add one.

So, in what is built here:

1.  Bytes that come while no request is under way close the connection (RFC 9112, 9.2). A connection that was used
    before is replaced without a word; on a new one, which is watched for a moment before, the request is lost.
2.  The last look at the socket is immediately before the request is written. What arrives later is no answer either
    while the request is not sent whole: while bytes of it are in a buffer here, or not acknowledged by the other side's
    TCP. An answer that the other side sent after it had received the request carries that acknowledgement. Such an
    answer counts if it is no 2xx; the connection is closed.
3.  A final answer followed by another one in the same read is a 2xx only if all of them are.
4.  A 2xx or an error whose head is complete counts whatever its body is, or is said to be long; the body then ends with
    an exception or with the connection.
5.  Of 1xx answers `MAX_INTERIM_ANSWERS` are skipped.

What remains: bytes that arrive between the last look and the first write (tens of microseconds) over a network that
needs no time for the acknowledgement; and a 2xx that came too early and is read late, when the other side has received
the rest of the request meanwhile. Nothing tells them from an answer.
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
"""A head as aiohttp's parser makes it, and the body that belongs to it."""

SETTLE_SECONDS: Final = 0.02
MAX_SETTLE_SECONDS: Final = 0.5
"""How long a new connection is watched for bytes that nobody asked for, before its first request.

At least the first; as long as connecting took, for that is two ways there and back where TLS is spoken; at most the
second. What a server sends behind its session tickets may wait there for an acknowledgement (Nagle's algorithm), which
the request would bring.
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
"""A length of more is beyond what the parser counts."""
_CARRIED_BYTES: Final = 2
"""An end of head has three bytes at most, so two of an earlier read may belong to it."""


class GuardedConnection(ResponseHandler):
    """A connection that knows which bytes can be an answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._socket: TransportSocket
        self._descriptor = -1
        self._readable = select.poll()
        self.used = False
        self._unasked = False
        self._begin_again()

    def _begin_again(self) -> None:
        self._writing = False  # a request is being written, or was
        self._written = False  # nothing of it is left in aiohttp
        self._early = False  # a part of the answer came too early
        self._interim = 0
        self._carried = b""  # of a head whose end has not come
        self._answers: list[_Answer] = []
        self._delivered = False
        self._broken = False  # what came behind the head is not what the head announced

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called with a connection that is open."""
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket")
        self._descriptor = self._socket.fileno()
        self._readable.register(self._descriptor, select.POLLIN)

    async def settle(self, connecting_seconds: float) -> None:
        """Let come what a server sends on a new connection, and acknowledge it at once.

        It waits in slices, so that a machine that stands still for a moment does not use up the time.
        """
        seconds = min(max(SETTLE_SECONDS, connecting_seconds), MAX_SETTLE_SECONDS)
        for _ in range(_SETTLE_SLICES):
            await asyncio.sleep(seconds / _SETTLE_SLICES)
            if self._unasked or not self.is_connected():
                return
            _acknowledge_now(self._socket)

    async def is_quiet(self) -> bool:
        """Return whether nothing has come that nobody asked for, and the other side has not closed.

        True is the state of the socket at this moment. What TLS sends for itself is read here, and is not meant.
        """
        for _ in range(_LOOKS):
            if self._unasked or not self.is_connected():
                return False
            if not self._readable.poll(0):
                return True
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the first lets the loop look at the socket, the second lets it read
        return False

    def seems_quiet(self) -> bool:
        """Return at once what `is_quiet` returns in the usual case; false where that has to look again."""
        return self.is_connected() and not (self._unasked or self._readable.poll(0))

    def set_response_params(self, **parameters: Any) -> None:
        """Called by aiohttp when it has chosen this connection for a request, which is not written yet."""
        self._begin_again()
        super().set_response_params(**parameters)

    def begin(self) -> None:
        """Called immediately before a request is written: from now on, bytes may be an answer."""
        self.used = True
        self._writing = True

    def start_timeout(self) -> None:
        """Called by aiohttp when it has written the request."""
        self._written = True
        super().start_timeout()

    def data_received(self, data: bytes) -> None:
        """Called with bytes of the other side; with none when aiohttp goes on with what it has."""
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
        """Called by the parser's side with each head: keep it until the bytes that came with it are parsed too."""
        del size
        code = data[0].code
        if HTTPStatus.CONTINUE <= code < HTTPStatus.OK and code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._interim += 1
        else:
            self._answers.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Called when the connection failed, or what came is no HTTP. After the head, that concerns the body alone."""
        cause = exc if exc_cause is None else exc_cause
        if not self._answers:
            super().set_exception(exc, cause)
            return
        self.force_close()
        self._broken = True
        payload = self._answers[0][1]
        if not payload.is_eof() and payload.exception() is None:
            set_exception(payload, aiohttp.ClientPayloadError("the body did not come whole"), cause)

    def _read_answer(self, data: bytes) -> None:
        """Feed the parser head by head, then what is behind the final one, and deliver that if it counts."""
        early = self._early or not self._is_sent_whole()
        rest = data
        while rest and not self._answers and self._exception is None:
            end = self._end_of_head(rest)
            super().data_received(self._with_a_clear_end(rest[:end]))
            rest = rest[end:]
            if self._interim > MAX_INTERIM_ANSWERS:
                self._fail("too many answers of the class 1xx")
                return
        self._early = early and bool(self._answers or self._carried)
        if self._answers:
            if rest:
                super().data_received(rest)
            self._deliver(rest)

    def _end_of_head(self, data: bytes) -> int:
        """Return where a head ends in the data, its length if it does not."""
        window = self._carried + data
        if (found := _END_OF_HEAD.search(window)) is None:
            self._carried = window[-_CARRIED_BYTES:]
            return len(data)
        end = found.end() - len(self._carried)
        self._carried = b""
        return end

    def _with_a_clear_end(self, head: bytes) -> bytes:
        """Return a head that the parser takes: where nobody can know how long the body is, the connection ends it."""
        if _FINAL_ANSWER.match(head) is None or _is_one_length(_LENGTHS.findall(head)):
            return head
        self.force_close()
        self._broken = True
        return _LENGTHS.sub(b"", head)

    def _deliver(self, behind: bytes) -> None:
        begun = _ANOTHER in behind if self._broken else self._has_begun_another()
        alone = len(self._answers) == 1 and not begun
        doubtful = self._early or not (alone or (not begun and all(map(_is_success, self._answers))))
        if doubtful and _is_success(self._answers[0]):
            self._fail("an answer came before the request was sent, or with another one")
            return
        if self._early or not alone:
            self.force_close()
        self._delivered = True
        super().feed_data(self._answers[0], 0)

    def _has_begun_another(self) -> bool:
        """Return whether the parser is in the head of another answer: at the end it hands out what it has of one."""
        if not self._answers[0][1].is_eof() or self._parser is None:
            return False
        try:
            return self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001 -- whatever is wrong with it
            return True

    def _is_over(self) -> bool:
        return self._answers[0][1].is_eof()

    def _is_sent_whole(self) -> bool:
        return self._written and not unsent_bytes(self.transport, self._descriptor)

    def _refuse(self) -> None:
        """Close a connection on which bytes came that nobody asked for; it may be in aiohttp's pool by now."""
        self._unasked = True
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
    """Hands out connections on which nothing came that nobody asked for."""

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
            aiohttp.ClientError: there is none, or a new one sends before it is asked.
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
                raise aiohttp.ServerDisconnectedError("bytes came that nobody asked for")


class GuardedRequest(aiohttp.ClientRequest):
    """A request that is written only to a connection on which nothing came until then."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write the request. Between the last look at the socket and the first write nothing is awaited."""
        guarded: Any = conn.protocol
        if guarded.seems_quiet() or await guarded.is_quiet():
            guarded.begin()
            await super().write_bytes(writer, conn, content_length)
        else:
            guarded.set_exception(aiohttp.ServerDisconnectedError("bytes came that nobody asked for"))
            conn.close()


def unsent_bytes(transport: asyncio.Transport | None, descriptor: int) -> int:
    """Return how many bytes wait in buffers of asyncio, or were not acknowledged by the other side's TCP."""
    if transport is None:
        return 0
    # asyncio's transport for TLS does not count what the one below it holds (sslproto.py, _get_write_buffer_size).
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    waiting = transport.get_write_buffer_size() + (0 if below is None else below.get_write_buffer_size())
    return waiting or _unacknowledged_bytes(descriptor)


def _acknowledge_now(connection: TransportSocket) -> None:
    """Let TCP send the acknowledgement that it delays (Linux: tcp(7), TCP_QUICKACK)."""
    if (option := getattr(socket, "TCP_QUICKACK", None)) is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, 1)


def _unacknowledged_bytes(descriptor: int) -> int:
    """Return what TCP has sent and the other side has not acknowledged (Linux: tcp(7), SIOCOUTQ), 0 if not known."""
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def _is_success(answer: _Answer) -> bool:
    return is_success(answer[0].code)


def _is_one_length(told: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether what a head tells of its body's length is one thing, or nothing. ``told``: names and values."""
    match told:
        case []:
            return True
        case [(name, value)]:
            return name.lower() != b"content-length" or (value.isdigit() and len(value) <= _MOST_DIGITS)
        case _:
            return False
