from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from pipeline.delivery import client as client_module
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.client import MAX_ANSWER_BYTES, SegmentClient
from tests.fakes.segment import WRITE_KEY, options
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Coroutine

DAY_SECONDS = 24 * 3600.0
CHUNK_BYTES = 1_500


class FakeAnswer:
    """An answer of aiohttp, which is its own context and its own body."""

    def __init__(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        self.content = self
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None: ...

    def is_eof(self) -> bool:
        return not self._body

    at_eof = is_eof

    def exception(self) -> None: ...

    def read_nowait(self, _most: int) -> bytes:
        return b""

    async def read(self, most: int) -> bytes:
        """Return what has come, not always as much as was asked for."""
        count = min(most, CHUNK_BYTES)
        read, self._body = self._body[:count], self._body[count:]
        return read


class FakeSession:
    """A session of aiohttp that keeps what it is asked and answers as the wire says."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.closed = False

    def post(self, address: str, **arguments: Any) -> FakeAnswer:
        self._wire.posts.append((self._wire.sessions.index(self), address, arguments))
        answer = self._wire.answers.pop(0) if self._wire.answers else FakeAnswer(200, b"{}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class Wire:
    """Every session that a client opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: list[FakeSession] = []
        self.posts: list[tuple[int, str, dict[str, Any]]] = []
        self.answers: list[FakeAnswer | Exception] = []
        monkeypatch.setattr(client_module, "_open_session", self._open)

    def _open(self, _options: object) -> FakeSession:
        self.sessions.append(FakeSession(self))
        return self.sessions[-1]

    @property
    def used(self) -> list[int]:
        """Which session each request went through."""
        return [number for number, _, _ in self.posts]

    @property
    def open_sessions(self) -> int:
        return sum(not session.closed for session in self.sessions)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def run(scene: Coroutine[Any, Any, None]) -> None:
    run_virtual(scene)


def test_a_connection_is_kept_for_less_than_a_day_and_its_name_is_resolved_again_then(wire: Wire) -> None:
    async def scene() -> None:
        client = SegmentClient(options())
        for wait in (0.0, DAY_SECONDS / 2 - 1, 2.0, 1.0):
            await asyncio.sleep(wait)
            await client.post(b"{}")
        await client.close()

    run(scene())
    assert wire.used == [0, 0, 1, 1]
    assert wire.open_sessions == 0


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (FakeAnswer(200), True),
        (FakeAnswer(429), True),
        (FakeAnswer(499), True),
        (FakeAnswer(500), False),
        (FakeAnswer(503), False),
        (TimeoutError(), False),
        (aiohttp.ClientPayloadError(), False),
        (OSError(), False),
    ],
)
def test_the_name_is_resolved_again_after_a_server_error_and_where_no_answer_came(
    answer: FakeAnswer | Exception,
    kept: bool,  # noqa: FBT001 - of the table
    wire: Wire,
) -> None:
    async def scene() -> None:
        client = SegmentClient(options())
        wire.answers.append(answer)
        await client.post(b"{}")
        await client.post(b"{}")

    run(scene())
    assert wire.used == ([0, 0] if kept else [0, 1])
    assert wire.open_sessions == 1


def test_a_request_follows_no_redirect_and_carries_the_key_as_basic_auth_alone(wire: Wire) -> None:
    async def scene() -> None:
        await SegmentClient(options(gzip=False)).post(b'{"batch":[]}')

    run(scene())
    auth = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    assert wire.posts == [
        (
            0,
            "https://segment.test/v1/batch",
            {
                "data": b'{"batch":[]}',
                "headers": {"Authorization": f"Basic {auth}"},
                "allow_redirects": False,
            },
        )
    ]


def test_the_key_of_the_moment_is_used(wire: Wire) -> None:
    keys = [SecretStr("a" * 32), SecretStr("b" * 32)]

    async def scene() -> None:
        client = SegmentClient(options(), write_key=lambda: keys.pop(0))
        await client.post(b"{}")
        await client.post(b"{}")

    run(scene())
    told = [arguments["headers"]["Authorization"] for _, _, arguments in wire.posts]
    assert [base64.b64decode(each.removeprefix("Basic ")) for each in told] == [b"a" * 32 + b":", b"b" * 32 + b":"]


def test_of_an_answer_the_beginning_is_read(wire: Wire) -> None:
    seen: list[Response] = []

    async def scene() -> None:
        wire.answers.append(FakeAnswer(429, b"x" * 10 * MAX_ANSWER_BYTES, {"Retry-After": "7"}))
        seen.append(await SegmentClient(options()).post(b"{}"))

    run(scene())
    assert seen == [Answered(status=429, retry_after="7", body=b"x" * MAX_ANSWER_BYTES)]


def test_a_request_without_an_answer_logs_nothing_and_says_why(wire: Wire) -> None:
    seen: list[Response] = []

    async def scene() -> None:
        wire.answers.append(TimeoutError())
        seen.append(await SegmentClient(options()).post(b"{}"))

    with capture_logs() as logs:
        run(scene())
    assert (seen, logs) == ([Unanswered(failure=Failure.TIMEOUT)], [])


async def test_a_session_speaks_json_on_one_connection_and_keeps_no_cookies() -> None:
    session = client_module._open_session(options(gzip=True, request_timeout_seconds=12.0))
    try:
        assert dict(session.headers) == {
            "Content-Type": "application/json",
            "User-Agent": "onesignal-pipeline",
            "Accept-Encoding": "gzip",
            "Content-Encoding": "gzip",
        }
        assert session.timeout.total == 12.0
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        connector = session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        assert connector.limit == 1
    finally:
        await session.close()


async def test_a_body_that_is_not_compressed_does_not_claim_to_be() -> None:
    session = client_module._open_session(options(gzip=False))
    assert "Content-Encoding" not in session.headers
    await session.close()
