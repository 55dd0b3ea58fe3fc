from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from pipeline.delivery import client as client_module
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.client import HttpClient, HttpOptions, basic_auth
from tests.fakes.http_session import FakeAnswer, Wire
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Coroutine

DAY_SECONDS = 24 * 3600.0
MAX_ANSWER_BYTES = 4_096
ADDRESS = "https://destination.test/v1/batch"


def http_options(*, compressed: bool = False, timeout_seconds: float = 15.0) -> HttpOptions:
    return HttpOptions(url=ADDRESS, timeout_seconds=timeout_seconds, gzip=compressed, max_answer_bytes=MAX_ANSWER_BYTES)


def new_client() -> HttpClient:
    return HttpClient(http_options(), authorization=lambda: "Basic a2V5Og==")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def run(scene: Coroutine[Any, Any, None]) -> None:
    run_virtual(scene)


def test_a_connection_is_kept_for_less_than_a_day_and_its_name_is_resolved_again_then(wire: Wire) -> None:
    async def scene() -> None:
        client = new_client()
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
        client = new_client()
        wire.answers.append(answer)
        await client.post(b"{}")
        await client.post(b"{}")

    run(scene())
    assert wire.used == ([0, 0] if kept else [0, 1])
    assert wire.open_sessions == 1


def test_a_request_follows_no_redirect_and_carries_the_credentials_in_its_header_alone(wire: Wire) -> None:
    async def scene() -> None:
        await new_client().post(b'{"batch":[]}')

    run(scene())
    assert wire.posts == [
        (
            0,
            ADDRESS,
            {
                "data": b'{"batch":[]}',
                "headers": {"Authorization": "Basic a2V5Og=="},
                "allow_redirects": False,
            },
        )
    ]


def test_the_credentials_of_the_moment_are_used(wire: Wire) -> None:
    credentials = ["Basic a", "Basic b"]

    async def scene() -> None:
        client = HttpClient(http_options(), authorization=lambda: credentials.pop(0))
        await client.post(b"{}")
        await client.post(b"{}")

    run(scene())
    assert [arguments["headers"]["Authorization"] for _, _, arguments in wire.posts] == ["Basic a", "Basic b"]


def test_basic_auth_joins_name_and_password_by_a_colon() -> None:
    assert basic_auth("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # the example of RFC 7617


def test_of_an_answer_the_beginning_is_read(wire: Wire) -> None:
    seen: list[Response] = []

    async def scene() -> None:
        wire.answers.append(FakeAnswer(429, b"x" * 10 * MAX_ANSWER_BYTES, {"Retry-After": "7"}))
        seen.append(await new_client().post(b"{}"))

    run(scene())
    assert seen == [Answered(status=429, retry_after="7", body=b"x" * MAX_ANSWER_BYTES, whole=False)]


def test_an_answer_that_came_to_its_end_is_whole(wire: Wire) -> None:
    seen: list[Response] = []

    async def scene() -> None:
        wire.answers.append(FakeAnswer(200, b"{}", {"Content-Type": "application/json"}))
        seen.append(await new_client().post(b"{}"))

    run(scene())
    assert seen == [Answered(status=200, content_type="application/json", body=b"{}", whole=True)]


def test_a_request_without_an_answer_logs_nothing_and_says_why(wire: Wire) -> None:
    seen: list[Response] = []

    async def scene() -> None:
        wire.answers.append(TimeoutError())
        seen.append(await new_client().post(b"{}"))

    with capture_logs() as logs:
        run(scene())
    assert (seen, logs) == ([Unanswered(failure=Failure.TIMEOUT)], [])


async def test_a_session_speaks_json_on_one_connection_and_keeps_no_cookies() -> None:
    session = client_module._open_session(http_options(compressed=True, timeout_seconds=12.0))
    try:
        assert dict(session.headers) == {
            "Content-Type": "application/json",
            "User-Agent": "onesignal-pipeline",
            "Accept-Encoding": "gzip",
            "Content-Encoding": "gzip",
        }
        assert session.timeout.total == 12.0
        assert not session.auto_decompress, "aiohttp would decompress without a limit"
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        connector = session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        assert connector.limit == 1
    finally:
        await session.close()


def test_the_body_of_an_answer_is_waited_for_though_not_for_long() -> None:
    assert 0 < http_options().answer_seconds <= 2


async def test_a_body_that_is_not_compressed_does_not_claim_to_be() -> None:
    session = client_module._open_session(http_options())
    assert "Content-Encoding" not in session.headers
    await session.close()


def test_a_compressed_body_is_posted_where_that_is_chosen(wire: Wire) -> None:
    async def scene() -> None:
        await HttpClient(http_options(compressed=True), authorization=lambda: "").post(b"body" * 100)

    run(scene())
    ((_, _, arguments),) = wire.posts
    assert gzip.decompress(arguments["data"]) == b"body" * 100
