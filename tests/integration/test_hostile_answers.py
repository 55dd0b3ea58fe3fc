"""Every hostile answer, played on a socket to the client of the sink; a few to a whole sink."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr

from pipeline.sinks.segment.client import SegmentClient
from pipeline.sinks.segment.options import SegmentOptions
from pipeline.sinks.segment.request import build_body
from pipeline.sinks.segment.response import Answered, Response, Unanswered
from pipeline.sinks.segment.retry import Decision, Done, Hold, Refuse, Retry, RetryPolicy, decide
from tests.fakes.segment import WRITE_KEY, record, record_of
from tests.hostile.answer_server import LARGE_BYTES, AnswerServer
from tests.hostile.answers import ANSWERS, Expected, HostileAnswer, When

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SMALL: Final = build_body([record("a")], sent_at=0.0)
LARGE: Final = build_body([record_of(30_000, f"m-{number}") for number in range(15)], sent_at=0.0)
SILENCE_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 15.0
POLICY: Final = RetryPolicy(base_seconds=1.0, max_seconds=60.0, retry_after_cap_seconds=300.0)
DECISIONS: Final[dict[Expected, type[Decision]]] = {
    Expected.ACCEPTED: Done,
    Expected.RETRIED: Retry,
    Expected.HELD: Hold,
    Expected.REFUSED: Refuse,
}


@contextlib.asynccontextmanager
async def serving(hostile: HostileAnswer | None) -> AsyncIterator[AnswerServer]:
    server = AnswerServer(hostile)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def client_of(endpoint: str, **changes: Any) -> AsyncIterator[SegmentClient]:
    client = SegmentClient(SegmentOptions(endpoint=endpoint, write_key=SecretStr(WRITE_KEY), **changes))
    try:
        yield client
    finally:
        await client.close()


async def response_to(hostile: HostileAnswer, server: AnswerServer, client: SegmentClient) -> Response:
    """Return what the client makes of the request for which the answer is played."""
    if hostile.when is When.IDLE:
        assert await client.post(SMALL) == Answered(status=200, body=b'{"success":true}')
        await server.played.wait()
    return await client.post(LARGE if hostile.when is When.MID_REQUEST else SMALL)


@pytest.mark.parametrize("hostile", ANSWERS, ids=lambda hostile: hostile.name)
async def test_an_answer_has_the_consequence_that_is_told_and_the_next_request_gets_its_own(
    hostile: HostileAnswer,
) -> None:
    timeout = SILENCE_SECONDS if hostile.silent else PATIENCE_SECONDS
    async with serving(hostile) as server, client_of(server.endpoint, request_timeout_seconds=timeout) as client:
        response = await response_to(hostile, server, client)
        decision = decide(response, attempt=1, jitter=0.5, now=0.0, policy=POLICY)
        assert isinstance(decision, DECISIONS[hostile.expected]), response
        assert (isinstance(decision, Done) and decision.doubt is not None) == hostile.doubtful
        if hostile.when is When.CONNECTED and isinstance(response, Unanswered):
            assert await client.post(SMALL) == Answered(status=503, body=b'{"success":false}')
        await server.played.wait()
        assert await client.post(SMALL) == Answered(status=200, body=b'{"success":true}')


def test_the_collection_has_every_kind_and_each_name_once() -> None:
    assert len(ANSWERS) >= 250
    assert len({hostile.name for hostile in ANSWERS}) == len(ANSWERS)
    assert {hostile.expected for hostile in ANSWERS} == set(Expected)
    assert {hostile.when for hostile in ANSWERS} == set(When)


def test_a_request_that_is_answered_early_is_larger_than_the_sockets() -> None:
    assert len(LARGE) > LARGE_BYTES
