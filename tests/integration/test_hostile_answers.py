"""Every hostile answer, sent on a socket to the sink's client; a few of them to a whole sink."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from pipeline.delivery.answers import Answered, Response, Unanswered
from pipeline.delivery.decisions import Attempt, Decision, Done, Hold, Refuse, Retry
from pipeline.delivery.sink import Sink
from pipeline.metrics.delivery import DeliveryMetrics
from pipeline.sinks.segment.answers import decide
from pipeline.sinks.segment.api import SegmentApi
from pipeline.sinks.segment.body import build_body
from pipeline.sinks.segment.options import SegmentOptions
from tests.fakes.attempts import RETRIES
from tests.fakes.segment import (
    WRITE_KEY,
    Acked,
    Effect,
    FakeBatch,
    FakeDeadLetters,
    FakeMessage,
    record,
    record_of,
)
from tests.hostile.answer_server import LARGE_BYTES, AnswerServer
from tests.hostile.answers import ANSWERS, Expected, HostileAnswer, When

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.delivery.client import RequestClient

SMALL: Final = build_body([record("a")], sent_at=0.0)
LARGE: Final = build_body([record_of(30_000, f"m-{number}") for number in range(15)], sent_at=0.0)
ACCEPTED: Final = Answered(status=200, content_type="application/json", body=b'{"success":true}')
FAILED: Final = Answered(status=503, content_type="application/json", body=b'{"success":false}')
SILENCE_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 15.0
DECISIONS: Final[dict[Expected, type[Decision]]] = {
    Expected.ACCEPTED: Done,
    Expected.RETRIED: Retry,
    Expected.HELD: Hold,
    Expected.REFUSED: Refuse,
}


@contextlib.asynccontextmanager
async def serving(hostile: HostileAnswer, *, times: int = 1) -> AsyncIterator[AnswerServer]:
    server = AnswerServer(hostile, times=times)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def client_of(endpoint: str, **changes: Any) -> AsyncIterator[RequestClient]:
    client = SegmentApi(SegmentOptions(endpoint=endpoint, write_key=SecretStr(WRITE_KEY), **changes)).connect()
    try:
        yield client
    finally:
        await client.close()


async def response_to(hostile: HostileAnswer, server: AnswerServer, client: RequestClient) -> Response:
    """Return the client's result for the request that gets the answer."""
    if hostile.when is When.IDLE:
        assert await client.post(SMALL) == ACCEPTED
        await server.played.wait()
    return await client.post(LARGE if hostile.when is When.MID_REQUEST else SMALL)


@pytest.mark.parametrize("hostile", ANSWERS, ids=lambda hostile: hostile.name)
async def test_an_answer_has_the_consequence_that_is_told_and_the_next_request_gets_its_own(
    hostile: HostileAnswer,
) -> None:
    timeout = SILENCE_SECONDS if hostile.silent else PATIENCE_SECONDS
    async with serving(hostile) as server, client_of(server.endpoint, request_timeout_seconds=timeout) as client:
        response = await response_to(hostile, server, client)
        decision = decide(response, Attempt(number=1, sent_records=1, jitter=0.5, now=0.0, policy=RETRIES))
        assert isinstance(decision, DECISIONS[hostile.expected]), response
        assert (isinstance(decision, Done) and decision.doubt is not None) == hostile.doubtful
        if hostile.when is When.CONNECTED and isinstance(response, Unanswered):
            assert await client.post(SMALL) == FAILED
        await server.played.wait()
        assert await client.post(SMALL) == ACCEPTED


BY_NAME: Final = {hostile.name: hostile for hostile in ANSWERS}


@pytest.mark.parametrize(
    "name",
    [
        "200 on an idle connection",
        "three 200 on an idle connection",
        "408 and a close on an idle connection",
        "200 right after connect",
        "200 and then 503 in one",
        "200 with a chunk size that is no number",
        "200 with fewer bytes than its length that stays open",
        "200 with a body that drips",
        "200 with a login page",
        "endless 100",
        "200 before the request was read",
    ],
)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_sink_delivers_every_record_once_and_in_order_whatever_is_answered(name: str, times: int) -> None:
    hostile, metrics, effects = BY_NAME[name], CollectorRegistry(), list[Effect]()
    settled = asyncio.Event()
    async with serving(hostile, times=times) as server:
        options = SegmentOptions(
            endpoint=server.endpoint,
            write_key=SecretStr(WRITE_KEY),
            lanes=1,
            max_batch_records=12,
            flush_interval_seconds=0.01,
            retry_base_seconds=0.01,
            retry_max_seconds=0.05,
        )
        sink = Sink(
            api=SegmentApi(options),
            options=options,
            dead_letters=FakeDeadLetters(effects),
            metrics=DeliveryMetrics(metrics, destination="segment"),
            on_settled=settled.set,
        )
        running = asyncio.ensure_future(sink.run())
        for batch in range(6):
            settled.clear()
            server.turn.clear()
            ids = [f"{batch}-{number}" for number in range(12)]
            messages = [FakeMessage(value=record_of(30_000, each), offset=batch * 12 + n) for n, each in enumerate(ids)]
            sink.accept(FakeBatch(0, messages, effects))
            await settled.wait()
            if hostile.when is When.IDLE and not server.played.is_set():
                await server.turn.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.played.wait()
    sent = [each for body in server.accepted for each in message_ids(body)]
    assert sent == [f"{batch}-{number}" for batch in range(6) for number in range(12)]
    assert effects == [Acked(0, batch * 12) for batch in range(6)]


def message_ids(body: bytes) -> list[str]:
    return [call["messageId"] for call in orjson.loads(body)["batch"]]


def test_the_collection_has_every_kind_and_each_name_once() -> None:
    assert len(ANSWERS) >= 250
    assert len({hostile.name for hostile in ANSWERS}) == len(ANSWERS)
    assert {hostile.expected for hostile in ANSWERS} == set(Expected)
    assert {hostile.when for hostile in ANSWERS} == set(When)


def test_a_request_that_is_answered_early_is_larger_than_the_sockets() -> None:
    assert len(LARGE) > LARGE_BYTES
