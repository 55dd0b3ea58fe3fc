"""Speak HTTP to Segment, and turn aiohttp's exceptions into responses."""

from __future__ import annotations

import asyncio
import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp

from pipeline.delivery.answer_body import ENCODING, read_body, unpacked
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered, is_success
from pipeline.delivery.doubts import doubt_of
from pipeline.delivery.guarded_http import GuardedConnector, GuardedRequest
from pipeline.kafka.certificates import certificate_fault
from pipeline.sinks.segment.body import compress

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from pipeline.delivery.options import SegmentOptions

DNS_CACHE_SECONDS: Final = 300
CONNECTION_AGE_SECONDS: Final = 12 * 3600.0
"""Segment asks to resolve its name again after a 5xx and at least daily
(schemas/SOURCES.md, "Segment host addresses"); half a day leaves a margin."""
KEEP_ALIVE_SECONDS: Final = 30.0
"""Shorter than the 60 s after which load balancers commonly close an idle connection."""
MAX_ANSWER_BYTES: Final = 4096
ANSWER_BODY_SECONDS: Final = 1.0
"""How long the body of an answer is waited for. The head has decided; the body is for the operator."""
MAX_HEADER_BYTES: Final = 32_768
MAX_HEADERS: Final = 256
"""Proxies add policies and cookies: with aiohttp's 8 KB and 128 a head that accepts would be no answer."""
USER_AGENT: Final = "onesignal-pipeline"


class BatchClient(Protocol):
    """A way to Segment with at most one request at a time."""

    async def post(self, body: bytes) -> Response:
        """Send one batch and return what came of it.

        It may be cancelled: no more is sent then, but Segment may have accepted the batch already.
        """

    async def close(self) -> None:
        """Give up the connection."""


class SegmentClient:
    """One kept-alive connection to Segment; a lane, with its one request in flight, needs no more.

    The connection is closed after a 5xx and after half a day, so that the next request resolves the name again.
    """

    def __init__(self, options: SegmentOptions, *, write_key: Callable[[], SecretStr] | None = None) -> None:
        """Take the options, and who knows the write key of the moment, where it may change."""
        self._options = options
        self._write_key = write_key or (lambda: options.write_key)
        self._session: aiohttp.ClientSession | None = None
        self._opened_at = 0.0

    async def post(self, body: bytes) -> Response:
        """Send one batch. Redirects are not followed.

        An answer counts when its head is there. Of its body a few KB are read, for a moment; if it does not come whole
        and in order, the connection is closed.
        """
        session = await self._fresh_session()
        response: Response | None = None
        try:
            async with session.post(
                self._options.endpoint,
                data=compress(body) if self._options.gzip else body,
                headers={"Authorization": _basic_auth(self._write_key())},
                allow_redirects=False,
            ) as answer:
                response = await _read(answer)
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

    async def _fresh_session(self) -> aiohttp.ClientSession:
        now = asyncio.get_running_loop().time()
        if self._session is not None and now - self._opened_at < CONNECTION_AGE_SECONDS:
            return self._session
        await self.close()
        self._session, self._opened_at = _open_session(self._options), now
        return self._session


def unanswered(error: Exception) -> Unanswered:
    """Return what a network fault is for the sink."""
    fault = certificate_fault(error)
    return Unanswered(failure=failure_of(error) if fault is None else Failure.CERTIFICATE, certificate=fault)


def failure_of(error: Exception) -> Failure:
    """Name the kind of a network fault."""
    for kind, failure in (
        (TimeoutError, Failure.TIMEOUT),
        (aiohttp.ClientConnectorDNSError, Failure.NAME_NOT_RESOLVED),
        (aiohttp.ClientSSLError, Failure.TLS),
        (aiohttp.ClientConnectorError, Failure.NOT_CONNECTED),
    ):
        if isinstance(error, kind):
            return failure
    return Failure.CONNECTION_LOST


def _open_session(options: SegmentOptions) -> aiohttp.ClientSession:
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept-Encoding": ENCODING}
    if options.gzip:
        headers["Content-Encoding"] = "gzip"
    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=options.request_timeout_seconds),
        connector=GuardedConnector(limit=1, ttl_dns_cache=DNS_CACHE_SECONDS, keepalive_timeout=KEEP_ALIVE_SECONDS),
        request_class=GuardedRequest,
        auto_decompress=False,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _basic_auth(write_key: SecretStr) -> str:
    return "Basic " + base64.b64encode(f"{write_key.get_secret_value()}:".encode()).decode()


async def _read(answer: aiohttp.ClientResponse) -> Answered:
    body = await read_body(answer.content, max_bytes=MAX_ANSWER_BYTES, seconds=ANSWER_BODY_SECONDS)
    status, headers = answer.status, answer.headers
    beginning = unpacked(body.beginning, headers.get("Content-Encoding"), max_bytes=MAX_ANSWER_BYTES)
    return Answered(
        status=status,
        retry_after=headers.get("Retry-After"),
        body=beginning,
        doubt=doubt_of(headers.get("Content-Type"), beginning) if is_success(status) else None,
    )
