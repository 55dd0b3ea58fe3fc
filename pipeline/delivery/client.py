"""Post request batches over HTTP, and convert aiohttp's exceptions into responses."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp

from pipeline.delivery.answer_body import ENCODING, read_body, unpacked
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.compression import compress
from pipeline.delivery.guarded_http import GuardedConnector, GuardedRequest, GuardedResponse
from pipeline.kafka.certificates import certificate_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DNS_CACHE_SECONDS: Final = 300
CONNECTION_AGE_SECONDS: Final = 12 * 3600.0
"""The addresses of a name change. A connection that is never closed would keep using the old ones."""
KEEP_ALIVE_SECONDS: Final = 30.0
"""Shorter than the 60 s after which load balancers commonly close an idle connection."""
ANSWER_BODY_SECONDS: Final = 1.0
"""How long to wait for the body of an answer whose status carries the verdict."""
MAX_HEADER_BYTES: Final = 32_768
MAX_HEADERS: Final = 256
"""Proxies add policies and cookies. With aiohttp's defaults, 8 KB and 128, such an answer would be an error."""
USER_AGENT: Final = "onesignal-pipeline"


class RequestClient(Protocol):
    """A client that sends at most one request at a time to a destination."""

    async def post(self, body: bytes) -> Response:
        """Send one request and return its response.

        After a cancellation nothing more is sent, but the destination may have accepted the request already.
        """

    async def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to post to one address.

    Attributes:
        url: The whole address.
        timeout_seconds: For a whole request, including its answer.
        gzip: Whether bodies are compressed.
        content_type: Of the bodies.
        max_answer_bytes: How much of an answer's body is read, and how much of it is kept after decompression.
        answer_seconds: How long to wait for the body once the head has arrived. It is longer for a destination whose
            body carries the verdict than for one whose status does.
        headers: Further headers of every request.
    """

    url: str
    timeout_seconds: float
    gzip: bool
    max_answer_bytes: int
    content_type: str = "application/json"
    answer_seconds: float = ANSWER_BODY_SECONDS
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpClient:
    """One kept-alive connection, which is enough for a lane with one request in flight.

    The connection is closed after a 5xx and after half a day, so that the next request resolves the name again.

    Args:
        options: Where to post, and how.
        authorization: Returns the `Authorization` header of the next request; credentials may change.
    """

    def __init__(self, options: HttpOptions, *, authorization: Callable[[], str]) -> None:
        self._options = options
        self._authorization = authorization
        self._session: aiohttp.ClientSession | None = None
        self._opened_at = 0.0

    async def post(self, body: bytes) -> Response:
        """Send one request and return its response. Redirects are not followed.

        There is an answer once its head is complete. The options limit the size of its body and the time to wait for
        it. If the body is incomplete or malformed, the connection is closed.
        """
        session = await self._fresh_session()
        response: Response | None = None
        try:
            async with session.post(
                self._options.url,
                data=compress(body) if self._options.gzip else body,
                headers={"Authorization": self._authorization()},
                allow_redirects=False,
            ) as answer:
                response = await self._read(answer)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            response = response or unanswered(error)
        if isinstance(response, Unanswered) or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            await self.close()
        return response

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _read(self, answer: aiohttp.ClientResponse) -> Answered:
        most, headers = self._options.max_answer_bytes, answer.headers
        received = await read_body(answer.content, max_bytes=most, seconds=self._options.answer_seconds)
        body = unpacked(received, headers.get("Content-Encoding"), max_bytes=most)
        return Answered(
            status=answer.status,
            retry_after=headers.get("Retry-After"),
            content_type=headers.get("Content-Type"),
            body=body.beginning,
            whole=body.whole and not (isinstance(answer, GuardedResponse) and answer.uncertain),
        )

    async def _fresh_session(self) -> aiohttp.ClientSession:
        now = asyncio.get_running_loop().time()
        if self._session is not None and now - self._opened_at < CONNECTION_AGE_SECONDS:
            return self._session
        await self.close()
        self._session, self._opened_at = _open_session(self._options), now
        return self._session


def basic_auth(username: str, password: str) -> str:
    """Return the value of an `Authorization` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def unanswered(error: Exception) -> Unanswered:
    """Return the response that stands for a network error."""
    fault = certificate_fault(error)
    return Unanswered(failure=failure_of(error) if fault is None else Failure.CERTIFICATE, certificate=fault)


def failure_of(error: Exception) -> Failure:
    """Return the kind of a network error."""
    for kind, failure in (
        (TimeoutError, Failure.TIMEOUT),
        (aiohttp.ClientConnectorDNSError, Failure.NAME_NOT_RESOLVED),
        (aiohttp.ClientSSLError, Failure.TLS),
        (aiohttp.ClientConnectorError, Failure.NOT_CONNECTED),
    ):
        if isinstance(error, kind):
            return failure
    return Failure.CONNECTION_LOST


def _open_session(options: HttpOptions) -> aiohttp.ClientSession:
    headers = {"Content-Type": options.content_type, "User-Agent": USER_AGENT, "Accept-Encoding": ENCODING}
    headers |= options.headers
    if options.gzip:
        headers["Content-Encoding"] = "gzip"
    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=options.timeout_seconds),
        connector=GuardedConnector(limit=1, ttl_dns_cache=DNS_CACHE_SECONDS, keepalive_timeout=KEEP_ALIVE_SECONDS),
        request_class=GuardedRequest,
        response_class=GuardedResponse,
        auto_decompress=False,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
