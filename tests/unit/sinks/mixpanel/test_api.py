"""Mixpanel's implementation of the contract: its limits, and its requests as a server receives them."""

from __future__ import annotations

import base64
import contextlib
import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from pipeline.core.destinations.mixpanel.limits import MAX_RECORD_BYTES
from pipeline.delivery.answers import Answered
from pipeline.delivery.decisions import Attempt, Done, RetryPolicy
from pipeline.delivery.probe import ProbeOutcome
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.processor.deciding import STAGE as PROCESSOR_STAGE
from pipeline.sinks.mixpanel.api import MAX_ANSWER_BYTES, MixpanelApi
from pipeline.sinks.mixpanel.options import MAX_REQUEST_RECORDS, MIN_REQUEST_BYTES
from pipeline.sinks.mixpanel.record_check import MixpanelRejectReason
from pipeline.sinks.segment.api import SegmentApi
from tests.fakes.mixpanel import TOKEN, options, record, refusal, row, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.delivery.answers import Response

BODY = b"[" + record("a") + b"]"
ACCOUNT = {
    "project_token": None,
    "service_account": "user",
    "service_account_secret": SecretStr("secret"),
    "project_id": "12",
}
POLICY = RetryPolicy(base_seconds=2.0, max_seconds=60.0, retry_after_cap_seconds=300.0)


@dataclass(slots=True)
class Server:
    """An HTTP server that stores each request, and gives the answers of a test, or else the one that accepts."""

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}/import"

    async def receive(self, request: web.BaseRequest) -> web.Response:
        self.paths.append(request.raw_path)
        self.headers.append(dict(request.headers))
        body = b"".join([chunk async for chunk, _ in request.content.iter_chunks()])
        self.bodies.append(body)
        status, answer = self.answers.pop(0) if self.answers else (200, success(1).body)
        return web.Response(
            status=status,
            body=gzip.compress(answer),
            content_type="application/json",
            headers={"Content-Encoding": "gzip"},
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    # A handler of aiohttp's low-level server gets the body as it was sent, still compressed.
    runner = web.ServerRunner(web.Server(made.receive, auto_decompress=False))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


async def posted(api: MixpanelApi, body: bytes = BODY, *, requests: int = 1) -> list[Response]:
    client = api.connect()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        return [await client.post(body) for _ in range(requests)]


def credentials(headers: dict[str, str]) -> str:
    scheme, _, encoded = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(encoded).decode()


async def test_a_request_is_a_json_array_that_is_checked_strictly_and_names_the_integration(server: Server) -> None:
    assert await posted(MixpanelApi(options(endpoint=server.endpoint, gzip=False))) == [success(1)]
    assert server.paths == ["/import?strict=1"]
    assert server.bodies == [BODY]
    (headers,) = server.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Mixpanel-Integration-ID"] == "onesignal-pipeline"
    assert headers["Accept-Encoding"] == "gzip"
    assert "Content-Encoding" not in headers


async def test_a_body_is_compressed_by_default(server: Server) -> None:
    await posted(MixpanelApi(options(endpoint=server.endpoint)))
    assert server.headers[0]["Content-Encoding"] == "gzip"
    assert gzip.decompress(server.bodies[0]) == BODY


async def test_a_token_is_the_user_name_and_a_service_account_names_its_project(server: Server) -> None:
    await posted(MixpanelApi(options(endpoint=server.endpoint)))
    await posted(MixpanelApi(options(endpoint=server.endpoint, **ACCOUNT)))
    assert [credentials(headers) for headers in server.headers] == [f"{TOKEN}:", "user:secret"]
    assert server.paths == ["/import?strict=1", "/import?strict=1&project_id=12"]


@pytest.mark.parametrize(
    ("query", "sent"), [("?strict=0", "?strict=1"), ("?region=x&strict=0", "?region=x&strict=1"), ("", "?strict=1")]
)
async def test_an_endpoint_keeps_its_own_query_but_never_turns_the_check_off(
    query: str, sent: str, server: Server
) -> None:
    await posted(MixpanelApi(options(endpoint=server.endpoint + query)))
    assert server.paths == [f"/import{sent}"]


async def test_the_secret_of_the_moment_is_used_on_one_connection(server: Server) -> None:
    secrets = [SecretStr("first"), SecretStr("second")]
    api = MixpanelApi(options(endpoint=server.endpoint, **ACCOUNT), secret=lambda: secrets.pop(0))
    await posted(api, requests=2)
    assert [credentials(headers) for headers in server.headers] == ["user:first", "user:second"]


async def test_the_answer_to_a_request_of_which_every_record_has_two_faults_is_read_whole(server: Server) -> None:
    message = "'properties.distinct_id' is invalid: '" + "<" * 255 + "' cannot be used, see the documentation"
    rows = [row(index // 2, "properties.distinct_id", insert_id="x" * 36, message=message) for index in range(4_000)]
    server.answers.append((400, refusal(*rows).body.replace(b"<", b"\\u003c")))
    (response,) = await posted(MixpanelApi(options(endpoint=server.endpoint)))
    assert isinstance(response, Answered)
    assert response.whole
    attempt = Attempt(number=1, sent_records=MAX_REQUEST_RECORDS, jitter=0.5, now=0.0, policy=POLICY)
    decision = MixpanelApi(options()).decide(response, attempt)
    assert isinstance(decision, Done)
    assert {refused.index for refused in decision.refused} == set(range(MAX_REQUEST_RECORDS))


def test_the_bound_of_an_answer_is_stated() -> None:
    page = Path(__file__).parents[4] / "docs" / "operate" / "capacity.md"
    assert f"up to {MAX_ANSWER_BYTES:,} bytes" in page.read_text(encoding="utf-8")


async def test_an_answer_beyond_the_bound_is_cut_and_not_whole(server: Server) -> None:
    server.answers.append((400, b"x" * (MAX_ANSWER_BYTES + 1)))
    (response,) = await posted(MixpanelApi(options(endpoint=server.endpoint)))
    assert isinstance(response, Answered)
    assert (len(response.body), response.whole) == (MAX_ANSWER_BYTES, False)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, success(1).body, ProbeOutcome.ACCEPTED),
        (200, success(0).body, ProbeOutcome.DOUBTFUL),
        (200, b'{"status":1,"error":null}', ProbeOutcome.DOUBTFUL),
        (401, b'{"code":401,"error":"Invalid credentials","status":"Unauthorized"}', ProbeOutcome.REFUSED),
        (502, b"upstream connect error", ProbeOutcome.BUSY),
    ],
)
async def test_a_check_sends_one_event_and_requires_the_number_1(
    status: int, body: bytes, outcome: ProbeOutcome, server: Server
) -> None:
    server.answers.append((status, body))
    report = await MixpanelApi(options(endpoint=server.endpoint, gzip=False)).probe()
    assert report.outcome is outcome
    assert "a custom endpoint" in report.lines[0]
    assert len(orjson.loads(server.bodies[0])) == 1


def test_its_stage_is_its_own() -> None:
    assert len({PROCESSOR_STAGE, SegmentApi.stage, MixpanelApi.stage}) == 3
    assert MixpanelApi.stage == "mixpanel-sink"


def test_the_limits_are_those_of_the_options_and_of_mixpanel() -> None:
    limits = MixpanelApi(options(max_batch_bytes=100_000, max_batch_records=7)).limits
    assert (limits.max_bytes, limits.max_records, limits.max_record_bytes) == (100_000, 7, MAX_RECORD_BYTES)


def test_the_default_limits_are_below_both_documented_ones() -> None:
    limits = MixpanelApi(options()).limits
    assert (limits.max_bytes, limits.max_records) == (2_000_000, 2_000)


def test_the_smallest_request_size_has_room_for_the_largest_record() -> None:
    assert MixpanelApi(options(max_batch_bytes=MIN_REQUEST_BYTES)).limits.least_bytes <= MIN_REQUEST_BYTES


def test_every_reason_has_a_value_of_its_own() -> None:
    assert set(MixpanelApi.reject_reasons) == {*DeliveryRejectReason, *MixpanelRejectReason}
    assert len({reason.value for reason in MixpanelApi.reject_reasons}) == len(MixpanelApi.reject_reasons)
