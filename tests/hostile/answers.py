"""What servers, proxies and load balancers may answer, as bytes, and the expected outcome of the request.

`ANSWERS` is the collection. Each `HostileAnswer` has a unique name, a moment at which it is played, and steps: bytes to
send, pauses, a close, a reset. `answer_server.AnswerServer` plays them on a socket:

    CONNECTED    right after a connection was accepted, before the request was read
    IDLE         after the answer to a request (a good 200), while no request is under way
    MID_REQUEST  when the head of the request and a part of its body were read
    ANSWER       when the whole request was read

At the first two moments the steps answer no request: what the server answers to the request itself, on whatever
connection it comes, is ``answer``. ``expected`` is the outcome of the request for which the answer was played, the
first one after the bytes: accepted; tried again (nothing was accepted, and the same records are sent again); held (not
ready, everything is kept, and the log says so); refused (the request is split to find the record at fault).
A server that plays an answer once and behaves correctly from then on must in the end have accepted every record, in
order, except for refused ones: there a dead letter is allowed, and too many of them are held.
Only a request that is too large to fit into the sockets can be answered before its end, see `answer_server`.

``silent`` answers never end, so that only the client's timeout ends them. ``doubtful``: accepted, but the
content is not Segment's, and a warning must be logged.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from tests.integration.test_planted_secrets import EMAIL, PHONE


class When(StrEnum):
    """The moment at which the steps are played."""

    CONNECTED = "connected"
    IDLE = "idle"
    MID_REQUEST = "mid-request"
    ANSWER = "answer"


class Expected(StrEnum):
    """The expected outcome of the request."""

    ACCEPTED = "accepted"
    RETRIED = "tried again"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes at once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the bytes one by one, with a pause after each; ``endless`` starts again at the end."""

    data: bytes
    pause_seconds: float
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Flood:
    """Send the same bytes again and again, until the client closes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection gracefully."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with a reset."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Leave the connection open and send nothing more on it."""


Step: TypeAlias = Send | Drip | Flood | Pause | Close | Reset | Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileAnswer:
    """One kind of answer; the module describes the fields."""

    name: str
    steps: tuple[Step, ...]
    expected: Expected
    when: When = When.ANSWER
    answer: bytes = b""
    silent: bool = False
    doubtful: bool = False


def head(status: str, *headers: str, version: str = "HTTP/1.1") -> bytes:
    """Return a status line, headers and the empty line after them."""
    return "\r\n".join((f"{version} {status}".rstrip(), *headers, "", "")).encode("latin-1")


def whole(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return a well-formed answer, with its length."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


GOOD: Final = whole("200 OK", b'{"success":true}', "Content-Type: application/json")
FAILED: Final = whole("503 Service Unavailable", b'{"success":false}', "Content-Type: application/json")
CHUNKED: Final = "Transfer-Encoding: chunked"
_GZIP: Final = "Content-Encoding: gzip"
_SHORT: Final = head("200 OK", "Content-Length: 1000") + b'{"succ'
_TICK: Final = 0.002
_SOON: Final = 0.05
_BOMB_BYTES: Final = 20_000_000
_WHO: Final = f"{EMAIL} {PHONE}".encode()
"""Personal data of the record: a server may repeat it anywhere in its answer, and no log may."""
_ECHO: Final = (
    b'{"success":false,"message":"a record is not valid","batch":[{"type":"track","event":"Your write key was provided"'
    b',"userId":"%b","properties":{"error":"An invalid write key was provided"}}]}' % _WHO
)
_KEY: Final = b'{"success":false,"message":"An invalid write key was provided by %b"}' % _WHO
_LOGIN: Final = b"<!DOCTYPE html><html><body><form action=/login>Sign in, %b</form></body></html>" % _WHO


def _answers(
    expected: Expected, steps: dict[str, bytes | tuple[Step, ...]], *, silent: bool = False, doubtful: bool = False
) -> list[HostileAnswer]:
    return [
        HostileAnswer(
            name=name,
            steps=(Send(each),) if isinstance(each, bytes) else each,
            expected=expected,
            silent=silent,
            doubtful=doubtful,
        )
        for name, each in steps.items()
    ]


_ODD_BUT_GOOD: Final = _answers(
    Expected.ACCEPTED,
    {
        "200 in order": GOOD,
        "200 with an empty body": whole("200 OK"),
        "200 without a reason phrase": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "200 with a reason phrase that names another status": whole("200 503 Service Unavailable"),
        "200 with a reason phrase that is not ASCII": whole(f"200 D'accord \xe9\xff {EMAIL}"),
        "200 with a reason phrase of 4000 characters": whole("200 " + "x" * 4000),
        "200 with a head and a body that come apart": (
            Send(head("200 OK", "Content-Length: 16")),
            Pause(_SOON),
            Send(b'{"success":true}'),
        ),
        "200 that comes byte by byte": (Drip(GOOD, _TICK),),
        "200 with lines that end in LF alone": GOOD.replace(b"\r\n", b"\n"),
        "200 after empty lines": b"\r\n\r\n" + GOOD,
        "200 in HTTP/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        "200 in HTTP/1.0 that says keep-alive": whole("200 OK", b"{}", "Connection: keep-alive").replace(
            b"HTTP/1.1", b"HTTP/1.0"
        ),
        "200 that closes as announced": (Send(whole("200 OK", b"{}", "Connection: close")), Close()),
        "200 that closes without saying so": (Send(GOOD), Close()),
        "200 that is reset a moment later": (Send(GOOD), Pause(_SOON), Reset()),
        "200 with 100 headers": whole("200 OK", b"{}", *(f"X-{number}: y" for number in range(100))),
        "200 with 200 headers": whole("200 OK", b"{}", *(f"X-{number}: y" for number in range(200))),
        "200 with a header of 7000 characters": whole("200 OK", b"{}", "X-Long: " + "y" * 7000),
        "200 with a header of 30000 characters": whole("200 OK", b"{}", "X-Long: " + "y" * 30_000),
        "200 with header values that are not ASCII": whole("200 OK", b"{}", "X-Odd: \xff\xfe\x80"),
        "200 with the names of headers in odd case": whole("200 OK").replace(b"Content-Length", b"cONTENT-lENGTH"),
        "200 with cookies": whole(
            "200 OK", b"{}", f"Set-Cookie: a={EMAIL}", "Set-Cookie: a=; Max-Age=-1", "Set-Cookie: \xff"
        ),
        "200 with a Retry-After": whole("200 OK", b"{}", "Retry-After: 86400"),
        "200 with a Location": whole("200 OK", b"{}", "Location: http://127.0.0.1:1/elsewhere"),
        "200 that offers another protocol": whole("200 OK", b"{}", "Connection: Upgrade", "Upgrade: h2c"),
        "200 in chunks": head("200 OK", CHUNKED) + b"2\r\n{}\r\n0\r\n\r\n",
        "200 in chunks with extensions and trailers": head("200 OK", CHUNKED)
        + b"2;a=b\r\n{}\r\n0\r\nX-Trailer: y\r\n\r\n",
        "200 in gzip": whole("200 OK", gzip.compress(b'{"success":true}'), _GZIP),
        "201": whole("201 Created", b"{}"),
        "202": whole("202 Accepted", b"{}"),
        "203": whole("203 Non-Authoritative Information", b"{}"),
        "204": head("204 No Content"),
        "204 with a body": head("204 No Content", "Content-Length: 5") + b"hello",
        "205": head("205 Reset Content", "Content-Length: 0"),
        "206": whole("206 Partial Content", b"{}", "Content-Range: bytes 0-1/9"),
        "207": whole("207 Multi-Status", b"<multistatus/>", "Content-Type: application/xml"),
        "226": whole("226 IM Used"),
        "299": whole("299 Whatever"),
        "200 after 100": head("100 Continue") + GOOD,
        "200 after 102 and 103": (
            Send(head("102 Processing")),
            Pause(_TICK),
            Send(head("103 Early Hints", "Link: </style.css>; rel=preload")),
            Pause(_TICK),
            Send(GOOD),
        ),
        "200 after ten 100": head("100 Continue") * 10 + GOOD,
        "200 twice in one": GOOD + GOOD,
    },
)

_BROKEN_BODIES: Final = _answers(
    Expected.ACCEPTED,
    {
        "200 without a length that closes": (Send(head("200 OK") + b"{}"), Close()),
        "200 without a length that stays open": (Send(head("200 OK") + b"{}"), Silence()),
        "200 with fewer bytes than its length that closes": (Send(_SHORT), Close()),
        "200 with fewer bytes than its length that stays open": (Send(_SHORT), Silence()),
        "200 with fewer bytes than its length that is reset": (Send(_SHORT), Pause(_SOON), Reset()),
        "200 with none of the bytes that it announces": (Send(head("200 OK", "Content-Length: 16")), Close()),
        "200 with more bytes than its length": head("200 OK", "Content-Length: 2") + b'{}{"success":true}',
        "200 with binary bytes behind its end": GOOD + b"\x00\x01\x02\xff",
        "200 with a negative length": (Send(head("200 OK", "Content-Length: -5")), Close()),
        "200 with a length that is no number": (Send(head("200 OK", f"Content-Length: {EMAIL}") + b"{}"), Close()),
        "200 with a length that is empty": (Send(head("200 OK", "Content-Length:") + b"{}"), Silence()),
        "200 with a length beyond 64 bits": (Send(head("200 OK", "Content-Length: " + "9" * 30) + b"{}"), Close()),
        "200 with two lengths that differ": (
            Send(head("200 OK", "Content-Length: 2", "Content-Length: 9") + b"{}"),
            Close(),
        ),
        "200 with the same length twice": (Send(whole("200 OK", b"{}", "Content-Length: 2")), Close()),
        "200 with a length and chunks": (
            Send(head("200 OK", "content-length:2", CHUNKED) + b"2\r\n{}\r\n0\r\n\r\n"),
            Silence(),
        ),
        "200 with a chunk size that is no number": (Send(head("200 OK", CHUNKED) + b"%b\r\n{}\r\n0\r\n\r\n" % _WHO),),
        "200 with a chunk size that is no number, later": (
            Send(head("200 OK", CHUNKED)),
            Pause(_SOON),
            Send(b"zz\r\n{}\r\n0\r\n\r\n"),
        ),
        "200 with a negative chunk size": head("200 OK", CHUNKED) + b"-2\r\n{}\r\n0\r\n\r\n",
        "200 with a chunk size beyond 64 bits": head("200 OK", CHUNKED) + b"fffffffffffffffff\r\n{}",
        "200 with a chunk that is longer than its size": head("200 OK", CHUNKED) + b"2\r\n{}xxxx\r\n0\r\n\r\n",
        "200 with a chunk without an end that closes": (Send(head("200 OK", CHUNKED) + b"2\r\n{}\r\n"), Close()),
        "200 with a chunk without an end that stays open": (Send(head("200 OK", CHUNKED) + b"2\r\n{}\r\n"), Silence()),
        "200 in chunks that are no chunks": head("200 OK", CHUNKED) + b'{"success":true}',
        "200 in gzip that is none": whole("200 OK", b'{"success":true}', _GZIP),
        "200 in gzip that ends too early": whole("200 OK", gzip.compress(b'{"success":true}')[:-6], _GZIP),
        "200 in gzip with a wrong checksum": whole("200 OK", gzip.compress(b"{}")[:-8] + b"\x00" * 8, _GZIP),
        "200 in gzip that unpacks to 20 MB": whole("200 OK", gzip.compress(bytes(_BOMB_BYTES)), _GZIP),
        "200 in deflate that is none": whole("200 OK", b'{"success":true}', "Content-Encoding: deflate"),
        "200 in brotli that is none": whole("200 OK", b'{"success":true}', "Content-Encoding: br"),
        "200 in an encoding that does not exist": whole("200 OK", b"{}", f"Content-Encoding: {EMAIL}"),
        "200 with a body that drips": (Send(head("200 OK", "Content-Length: 100000")), Drip(b"x", _SOON, endless=True)),
        "200 with chunks that drip": (
            Send(head("200 OK", CHUNKED)),
            Drip(b"1\r\nx\r\n", 0.01, endless=True),
        ),
        "200 with an endless body": (Send(head("200 OK")), Flood(b"x" * 65_536)),
        "200 with endless chunks": (Send(head("200 OK", CHUNKED)), Flood(b"4\r\nxxxx\r\n" * 4_000)),
        "200 with a body of 5 MB": whole("200 OK", b"x" * 5_000_000),
        "200 with a body that is no JSON": whole("200 OK", b"accepted", "Content-Type: application/json"),
        "200 with a body that is not UTF-8": whole("200 OK", b"\xff\xfe\x00\x80", "Content-Type: application/json"),
        "200 with JSON nested 2000 deep": whole("200 OK", b"[" * 2_000, "Content-Type: application/json"),
        "200 with a content type that is none": whole("200 OK", b"{}", f"Content-Type: ;;;=\x01{EMAIL}"),
    },
)

_DOUBTFUL: Final = _answers(
    Expected.ACCEPTED,
    {
        "200 with a login page": whole("200 OK", _LOGIN, "Content-Type: text/html; charset=utf-8"),
        "200 with a login page that has no content type": whole("200 OK", _LOGIN),
        "200 with a login page behind a byte order mark": whole("200 OK", b"\xef\xbb\xbf" + _LOGIN),
        "200 with a login page behind a comment": whole("200 OK", b"<!-- proxy -->" + _LOGIN),
        "200 with a login page in odd case": whole("200 OK", _LOGIN, "Content-Type: TEXT/HTML"),
        "200 with a page that ends too early": (
            Send(head("200 OK", "Content-Length: 900", "Content-Type: text/html") + _LOGIN),
            Close(),
        ),
        "200 that says success false": whole("200 OK", b'{"success":false}', "Content-Type: application/json"),
        "200 that says success false as text": whole("200 OK", b' { "success" : false, "message": "no" }'),
        "200 that says success false in gzip": whole("200 OK", gzip.compress(b'{"success": false}'), _GZIP),
    },
    doubtful=True,
)

_RETRIED_STATUSES: Final = _answers(
    Expected.RETRIED,
    {
        **{
            str(status): whole(f"{status} Told", b'{"success":false}')
            for status in (408, 410, 429, 460, 500, 502, 503, 504, 507, 508, 511, 520, 522, 524, 529, 598, 599)
        },
        "503 with a login page": whole("503 Service Unavailable", _LOGIN, "Content-Type: text/html"),
        "503 with fewer bytes than its length": (Send(head("503 X", "Content-Length: 900") + b"no"), Close()),
        "503 with a body that drips": (
            Send(head("503 X", "Content-Length: 100000")),
            Drip(b"x", _SOON, endless=True),
        ),
        "503 with an endless body": (Send(head("503 X")), Flood(b"x" * 65_536)),
        "503 with a chunk size that is no number": head("503 X", CHUNKED) + b"zz\r\n",
        "503 with two lengths": (Send(whole("503 X", b"no", "Content-Length: 7")), Close()),
        "503 in gzip that is none": whole("503 X", b"no", _GZIP),
        "503 twice in one": FAILED + FAILED,
        "503 and then 200 in one": FAILED + GOOD,
        "429 with a negative Retry-After": whole("429 X", b"", "Retry-After: -5"),
        "429 with a Retry-After in words": whole("429 X", b"", f"Retry-After: soon, {EMAIL}"),
        "429 with an empty Retry-After": whole("429 X", b"", "Retry-After:"),
        "429 with a Retry-After of 40 digits": whole("429 X", b"", "Retry-After: " + "9" * 40),
        "429 with a Retry-After that is not a number": whole("429 X", b"", "Retry-After: NaN"),
        "429 with an infinite Retry-After": whole("429 X", b"", "Retry-After: inf"),
        "429 with a Retry-After with an exponent": whole("429 X", b"", "Retry-After: 1e9"),
        "429 with a Retry-After of the past": whole("429 X", b"", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"),
        "429 with a Retry-After of the year 9999": whole("429 X", b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
        "429 with a Retry-After of a date that does not exist": whole(
            "429 X", b"", "Retry-After: Mon, 32 Feb 2026 25:61:61 GMT"
        ),
        "429 with two Retry-After": whole("429 X", b"", "Retry-After: 1", "Retry-After: 2"),
        "429 with a Retry-After in other digits": head("429 X", "Content-Length: 0")[:-2]
        + "Retry-After: ١٢".encode()
        + b"\r\n\r\n",
    },
)

_NO_ANSWERS: Final = _answers(
    Expected.RETRIED,
    {
        "nothing, and a close": (Close(),),
        "nothing, and a reset": (Reset(),),
        "a status line that is cut off": (Send(b"HTTP/1.1 20"), Close()),
        "a status line alone": (Send(b"HTTP/1.1 200 OK\r\n"), Close()),
        "headers that are cut off": (Send(b"HTTP/1.1 200 OK\r\nContent-Type: appl"), Close()),
        "headers without the empty line": (Send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), Close()),
        "headers that are cut off by a reset": (Send(b"HTTP/1.1 200 OK\r\nContent-"), Pause(_SOON), Reset()),
        "an SSH server": (Send(b"SSH-2.0-OpenSSH_9.2\r\n"), Close()),
        "an SMTP server": (Send(b"220 mail.example.test ESMTP %b\r\n" % _WHO), Close()),
        "a TLS alert": (Send(b"\x15\x03\x03\x00\x02\x02\x28"), Close()),
        "a TLS handshake": (Send(b"\x16\x03\x03\x00\x40" + bytes(64)), Close()),
        "frames of HTTP/2": (Send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), Close()),
        "the preface of HTTP/2": (Send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Close()),
        "a status line of HTTP/2": (Send(GOOD.replace(b"HTTP/1.1", b"HTTP/2")), Close()),
        "a status line of HTTP/9.9": (Send(GOOD.replace(b"HTTP/1.1", b"HTTP/9.9")), Close()),
        "a body without a head, as in HTTP/0.9": (Send(_LOGIN), Close()),
        "the answer of a radio station": (Send(GOOD.replace(b"HTTP/1.1", b"ICY")), Close()),
        "a status line in small letters": (Send(GOOD.replace(b"HTTP/1.1", b"http/1.1")), Close()),
        "a request instead of an answer": (Send(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n\r\n"), Close()),
        "the PROXY protocol": (Send(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + GOOD), Close()),
        "JSON without a head": (Send(b'{"success":true}'), Close()),
        "NUL bytes": (Send(bytes(1_000)), Close()),
        "0xFF bytes": (Send(b"\xff" * 1_000), Close()),
        "empty lines": (Send(b"\r\n" * 1_000), Close()),
        "a status that is no number": (Send(whole(f"OK {EMAIL}")), Close()),
        "a status of two digits": (Send(whole("20 OK")), Close()),
        "a status of four digits": (Send(whole("2000 OK")), Close()),
        "a negative status": (Send(whole("-200 OK")), Close()),
        "a header without a colon": (Send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % _WHO), Close()),
        "a header whose name is empty": (Send(b"HTTP/1.1 200 OK\r\n: 0\r\n\r\n"), Close()),
        "a header with a NUL": (Send(b"HTTP/1.1 200 OK\r\nX: %b\x00b\r\nContent-Length: 0\r\n\r\n" % _WHO), Close()),
        "a header of 100 KB": (Send(whole("200 OK", b"", "X: " + "y" * 100_000)), Close()),
        "2000 headers": (Send(whole("200 OK", b"", *(f"X-{number}: y" for number in range(2_000)))), Close()),
        "headers without an end": (Send(b"HTTP/1.1 200 OK\r\n"), Flood(b"X: y\r\n" * 1_000)),
        "a header without an end": (Send(b"HTTP/1.1 200 OK\r\nX: "), Flood(b"y" * 65_536)),
        "a reason phrase without an end": (Send(b"HTTP/1.1 200 "), Flood(b"y" * 65_536)),
        "100 and a close": (Send(head("100 Continue")), Close()),
        "endless 100": (Flood(head("100 Continue") * 100),),
        "endless 102 that drip": (Drip(head("102 Processing"), 0.0, endless=True),),
        "forty 100 and then 200": (Send(head("100 Continue") * 40 + GOOD),),
        "200 and then 503 in one": (Send(GOOD + FAILED),),
        "200 and then the beginning of another answer": (Send(GOOD + b"HTTP/1.1 5"),),
        "200 with two lengths and then 503 in one": (Send(whole("200 OK", b"{}", "Content-Length: 5") + FAILED),),
    },
)

_SILENT: Final = _answers(
    Expected.RETRIED,
    {
        "nothing at all": (Silence(),),
        "a status line, then silence": (Send(b"HTTP/1.1 200 OK\r\n"), Silence()),
        "headers without the empty line, then silence": (Send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), Silence()),
        "100, then silence": (Send(head("100 Continue")), Silence()),
        "headers that drip": (Send(b"HTTP/1.1 200 OK\r\nX: "), Drip(b"y", 0.02, endless=True)),
        "199, then silence": (Send(head("199 Whatever")), Silence()),
    },
    silent=True,
)

_HELD: Final = _answers(
    Expected.HELD,
    {
        **{
            str(status): whole(f"{status} Told", b'{"success":false}')
            for status in (
                *(300, 304, 305, 306, 399, 401, 402, 403, 404, 405, 406, 407, 409, 411, 412, 414, 415, 417, 418, 421),
                *(422, 423, 426, 428, 431, 444, 451, 499, 501, 505, 600, 999),
            )
        },
        **{
            f"{status} to another address": whole(f"{status} Moved", b"", "Location: http://127.0.0.1:1/v1/batch")
            for status in (301, 302, 303, 307, 308)
        },
        "302 without a Location": whole("302 Found"),
        "302 to a login page": whole(
            "302 Found", _LOGIN, f"Location: https://login.example.test/?next=\x7f&user={EMAIL}"
        ),
        "status 000": whole("000 Nothing"),
        "101 to websocket": head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"),
        "101 to HTTP/2, with frames": head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: h2c")
        + bytes(50),
        "403 with a page": whole("403 Forbidden", _LOGIN, "Content-Type: text/html"),
        "403 with fewer bytes than its length": (Send(head("403 X", "Content-Length: 900") + b"no"), Close()),
        "403 with a length and chunks": (Send(whole("403 X", b"no", CHUNKED)), Close()),
        "404 with a body that drips": (Send(head("404 X", "Content-Length: 100000")), Drip(b"x", _SOON, endless=True)),
        "407 of a proxy": whole("407 Proxy Authentication Required", b"", f"Proxy-Authenticate: Basic realm={EMAIL}"),
        "400 that says that the key is invalid": whole("400 Bad Request", _KEY, "Content-Type: application/json"),
        "400 that says so in words": whole("400 Bad Request", b"An invalid write key was provided by %b" % _WHO),
        "400 that says so in a code": whole("400 Bad Request", b'{"error":{"code":"invalid_write_key"}}'),
    },
)

_REFUSED: Final = _answers(
    Expected.REFUSED,
    {
        "400 without a body": whole("400 Bad Request"),
        "400 with a page": whole("400 Bad Request", _LOGIN, "Content-Type: text/html"),
        "400 that quotes a record with the words write key": whole("400 Bad Request", _ECHO),
        "400 that quotes a record in its message": whole(
            "400 Bad Request", b'{"message":"event \\"my write key\\" of %b is not valid"}' % _WHO
        ),
        "400 that quotes a record and is cut off": (
            Send(head("400 Bad Request", f"Content-Length: {len(_ECHO) + 1}") + _ECHO),
            Close(),
        ),
        "400 that quotes a record in a list of errors": whole(
            "400 Bad Request", b'{"errors":[{"record":{"event":"write key"}}],"error":"not valid"}'
        ),
        "400 that quotes a record without JSON": whole(
            "400 Bad Request", b'cannot use {"event":"an invalid write key was provided"}'
        ),
        "400 with a chunk size that is no number": head("400 Bad Request", CHUNKED) + b"zz\r\n",
        "400 with fewer bytes than its length": (Send(head("400 X", "Content-Length: 900") + b"no"), Close()),
        "400 with a body that drips": (Send(head("400 X", "Content-Length: 100000")), Drip(b"x", _SOON, endless=True)),
        "400 with a body of 5 MB": whole("400 Bad Request", b"x" * 5_000_000),
        "413": whole("413 Payload Too Large", b'{"success":false}'),
        "413 without a length that closes": (Send(head("413 Payload Too Large") + b"too large"), Close()),
        "400 and then 200 in one": whole("400 Bad Request") + GOOD,
    },
)

_EARLY: Final = [
    HostileAnswer(name=name, steps=steps, expected=expected, when=When.MID_REQUEST)
    for name, expected, steps in (
        ("200 before the request was read", Expected.RETRIED, (Send(GOOD), Silence())),
        ("200 before the request was read, and a close", Expected.RETRIED, (Send(GOOD), Pause(_SOON), Close())),
        ("204 before the request was read", Expected.RETRIED, (Send(head("204 No Content")), Silence())),
        (
            "200 before the request was read, after 100",
            Expected.RETRIED,
            (Send(head("100 Continue") + GOOD), Silence()),
        ),
        ("503 before the request was read", Expected.RETRIED, (Send(FAILED), Silence())),
        (
            "403 before the request was read",
            Expected.HELD,
            (Send(whole("403 Forbidden", _WHO, f"X-User: {EMAIL}")), Silence()),
        ),
        ("413 before the request was read", Expected.REFUSED, (Send(whole("413 Too Large", b"no")), Silence())),
        (
            "413 before the request was read, that says close",
            Expected.REFUSED,
            (Send(whole("413 Too Large", b"no", "Connection: close")), Silence()),
        ),
    )
]

_UNASKED: Final = [
    HostileAnswer(name=f"{name} {text}", steps=steps, expected=expected, when=when, answer=answer)
    for when, text in ((When.IDLE, "on an idle connection"), (When.CONNECTED, "right after connect"))
    for name, expected, steps, answer in (
        ("200", Expected.RETRIED, (Send(GOOD), Silence()), FAILED),
        ("three 200", Expected.RETRIED, (Send(GOOD * 3), Silence()), FAILED),
        ("204", Expected.RETRIED, (Send(head("204 No Content")), Silence()), FAILED),
        ("the beginning of a 200", Expected.RETRIED, (Send(b"HTTP/1.1 200 OK\r\nX: "), Silence()), FAILED),
        ("a 200 without its empty line", Expected.RETRIED, (Send(b"HTTP/1.1 200 OK\r\n"), Silence()), FAILED),
        ("empty lines", Expected.RETRIED, (Send(b"\r\n\r\n"), Silence()), FAILED),
        ("100", Expected.RETRIED, (Send(head("100 Continue")), Silence()), FAILED),
        ("200 and a close", Expected.RETRIED, (Send(GOOD), Close()), FAILED),
    )
] + [
    HostileAnswer(name=f"{name} on an idle connection", steps=steps, expected=expected, when=When.IDLE, answer=answer)
    for name, expected, steps, answer in (
        ("408 and a close", Expected.ACCEPTED, (Send(whole("408 Request Timeout")), Close()), GOOD),
        ("408", Expected.ACCEPTED, (Send(whole("408 Request Timeout")), Silence()), GOOD),
        ("a close", Expected.ACCEPTED, (Close(),), GOOD),
        ("a reset", Expected.ACCEPTED, (Reset(),), GOOD),
        ("400", Expected.ACCEPTED, (Send(whole("400 Bad Request", _KEY)), Silence()), GOOD),
        ("302", Expected.ACCEPTED, (Send(whole("302 Found", b"", "Location: http://127.0.0.1:1/")), Silence()), GOOD),
        ("one byte", Expected.ACCEPTED, (Send(b"\x00"), Silence()), GOOD),
        ("5 MB", Expected.ACCEPTED, (Send(b"x" * 5_000_000), Silence()), GOOD),
        ("503", Expected.ACCEPTED, (Send(FAILED), Silence()), GOOD),
    )
]

ANSWERS: Final[tuple[HostileAnswer, ...]] = (
    *_ODD_BUT_GOOD,
    *_BROKEN_BODIES,
    *_DOUBTFUL,
    *_RETRIED_STATUSES,
    *_NO_ANSWERS,
    *_SILENT,
    *_HELD,
    *_REFUSED,
    *_EARLY,
    *_UNASKED,
)
"""More than 250 kinds. Names are unique."""
