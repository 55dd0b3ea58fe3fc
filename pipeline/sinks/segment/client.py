"""Speak HTTP to Segment, and turn aiohttp's exceptions into responses."""

from __future__ import annotations

import asyncio
import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp

from pipeline.sinks.segment.request import compress
from pipeline.sinks.segment.response import Answered, Failure, Response, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from pipeline.sinks.segment.options import SegmentOptions

DNS_CACHE_SECONDS: Final = 300
CONNECTION_AGE_SECONDS: Final = 12 * 3600.0
"""Segment asks to resolve its name again after a 5xx and at least daily (HTTP API); half a day leaves a margin."""
KEEP_ALIVE_SECONDS: Final = 30.0
"""Shorter than the 60 s after which load balancers commonly close an idle connection."""
MAX_ANSWER_BYTES: Final = 4096
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
        """Send one batch. Redirects are not followed; of the answer, a few KB are read."""
        session = await self._fresh_session()
        response: Response
        try:
            async with session.post(
                self._options.endpoint,
                data=compress(body) if self._options.gzip else body,
                headers={"Authorization": _basic_auth(self._write_key())},
                allow_redirects=False,
            ) as answer:
                response = Answered(
                    status=answer.status,
                    retry_after=answer.headers.get("Retry-After"),
                    body=await _beginning(answer.content),
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            response = Unanswered(failure=failure_of(error))
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
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    if options.gzip:
        headers["Content-Encoding"] = "gzip"
    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=options.request_timeout_seconds),
        connector=aiohttp.TCPConnector(limit=1, ttl_dns_cache=DNS_CACHE_SECONDS, keepalive_timeout=KEEP_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _basic_auth(write_key: SecretStr) -> str:
    return "Basic " + base64.b64encode(f"{write_key.get_secret_value()}:".encode()).decode()


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Read to the end, or as much as anyone will look at."""
    read = b""
    while len(read) < MAX_ANSWER_BYTES and (chunk := await content.read(MAX_ANSWER_BYTES - len(read))):
        read += chunk
    return read
