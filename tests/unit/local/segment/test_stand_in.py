from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import signal
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest

from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    RefuseRecords,
    Reset,
    Slow,
    Stall,
    TakeAndDrop,
    WrongNumber,
)
from pipeline.sinks.segment.body import build_body
from pipeline.sinks.segment.credentials import write_key_problem
from tests.fakes.segment import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.local.stand_ins.faults import Fault


def authorization(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.fixture
async def stand_in() -> AsyncIterator[SegmentStandIn]:
    made = SegmentStandIn()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=authorization(WRITE_KEY)) as session:
        yield session


BODY = build_body([record("a"), record("b")], sent_at=0.0)


def test_the_stand_ins_key_has_the_shape_of_a_key() -> None:
    assert write_key_problem(WRITE_KEY) is None


async def test_stopping_what_was_never_started_does_nothing() -> None:
    await SegmentStandIn().stop()


async def test_a_batch_is_accepted_and_shows_in_the_ledger(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession
) -> None:
    async with http.post(stand_in.endpoint, data=BODY) as answer:
        assert (answer.status, await answer.json()) == (200, {"success": True})
    async with http.get(f"{stand_in.address}/ledger") as answer:
        summary = await answer.json()
    assert (summary["records_accepted"], summary["answers"], summary["largest_request_records"]) == (2, {"200": 1}, 2)
    assert summary["largest_request_bytes"] == len(BODY)
    assert stand_in.ledger.requests[0].sent_at == "1970-01-01T00:00:00.000Z"


async def test_a_compressed_batch_is_accepted(stand_in: SegmentStandIn, http: aiohttp.ClientSession) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with http.post(stand_in.endpoint, data=gzip.compress(BODY), headers=headers) as answer:
        assert answer.status == 200
    assert list(stand_in.ledger.accepted) == ["a", "b"]


async def test_a_body_that_cannot_be_decompressed_is_refused(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession
) -> None:
    async with http.post(stand_in.endpoint, data=b"no gzip", headers={"Content-Encoding": "gzip"}) as answer:
        assert (answer.status, await answer.json()) == (400, {"success": False})
    assert [request.status for request in stand_in.ledger.requests] == [400]


async def test_a_refusal_says_why(stand_in: SegmentStandIn, http: aiohttp.ClientSession) -> None:
    async with http.post(stand_in.endpoint, data=BODY, headers=authorization("abc123")) as answer:
        assert answer.status == 400
        assert await answer.json() == {"success": False, "message": "An invalid write key was provided"}


async def test_the_ledger_lists_records_in_order_of_first_acceptance(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession
) -> None:
    for number in range(2_500):
        stand_in.ledger.accept(str(number), "u")
    async with http.get(f"{stand_in.address}/ledger/records", params={"from": "5"}) as answer:
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert lines == [{"message_id": str(number), "user": "u"} for number in range(5, 2_500)]
    async with http.get(f"{stand_in.address}/ledger/records", params={"from": "x"}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [
        (AnswerStatus(status=503), 503, []),
        (Slow(seconds=0.0), 200, ["a", "b"]),
        (Slow(seconds=0.0, takes_first=True), 200, ["a", "b"]),
        (Reset(), None, []),
        (TakeAndDrop(), None, ["a", "b"]),
        (CutAnswer(), None, ["a", "b"]),
    ],
)
async def test_a_fault_happens_to_one_request(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession, fault: Fault, status: int | None, accepted: list[str]
) -> None:
    stand_in.faults.order(fault)
    seen: int | None = None
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with http.post(stand_in.endpoint, data=BODY) as answer:
            await answer.read()
            seen = answer.status
    assert (seen, list(stand_in.ledger.accepted)) == (status, accepted)
    async with http.post(stand_in.endpoint, data=BODY) as answer:
        assert answer.status == 200
    assert stand_in.ledger.faults.total() == 1


async def test_a_status_comes_with_its_retry_after(stand_in: SegmentStandIn, http: aiohttp.ClientSession) -> None:
    stand_in.faults.order(AnswerStatus(status=429, retry_after="absurd"))
    async with http.post(stand_in.endpoint, data=BODY) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "absurd")


async def test_a_stalled_request_goes_on_when_it_is_told(stand_in: SegmentStandIn, http: aiohttp.ClientSession) -> None:
    stand_in.faults.order(Stall())
    posting = asyncio.ensure_future(http.post(stand_in.endpoint, data=BODY))
    await stand_in.arrived(1)
    assert not stand_in.ledger.accepted
    async with http.post(f"{stand_in.address}/control/resume") as answer:
        assert answer.status == 204
    (await posting).release()
    await stand_in.accepted(2)


@pytest.mark.parametrize(
    ("kind", "fault"), [("wrong-number", WrongNumber()), ("refuse-records", RefuseRecords(text="a"))]
)
async def test_a_fault_that_segments_answers_cannot_have_is_refused(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession, kind: str, fault: Fault
) -> None:
    words = f"this destination's answers cannot have the fault {kind!r}"
    with pytest.raises(ValueError, match=words):
        stand_in.faults.order(fault)
    order = {"fault": {"kind": kind, "text": "a"}, "times": 1}
    async with http.post(f"{stand_in.address}/control/faults", json=order) as answer:
        assert (answer.status, await answer.text()) == (400, words)
    async with http.post(stand_in.endpoint, data=BODY) as answer:
        assert answer.status == 200


async def test_faults_are_ordered_and_cleared_over_http(stand_in: SegmentStandIn, http: aiohttp.ClientSession) -> None:
    order = {"fault": {"kind": "status", "status": 500}, "times": None}
    async with http.post(f"{stand_in.address}/control/faults", json=order) as answer:
        assert answer.status == 204
    assert stand_in.faults.draw() == AnswerStatus(status=500)
    async with http.delete(f"{stand_in.address}/control/faults") as answer:
        assert answer.status == 204
    assert stand_in.faults.draw() is None
    async with http.post(f"{stand_in.address}/control/schedule", json={"seed": 1, "rate": 1.0}) as answer:
        assert answer.status == 204
    assert stand_in.faults.draw() is not None


@pytest.mark.parametrize("path", ["faults", "schedule"])
async def test_an_order_that_is_not_understood_is_refused(
    stand_in: SegmentStandIn, http: aiohttp.ClientSession, path: str
) -> None:
    for text in ("{", '{"fault":{"kind":"fire"}}', '{"sed":1}'):
        async with http.post(f"{stand_in.address}/control/{path}", data=text) as answer:
            assert answer.status == 400


async def test_it_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "pipeline.local.segment.stand_in", "--write-key", "k" * 32],
        *["--fault-rate", "1.0", "--fault-seed", "3"],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    addresses = json.loads(await process.stdout.readline())
    assert addresses["endpoint"] == addresses["address"] + "/v1/batch"
    async with aiohttp.ClientSession(headers=authorization("k" * 32)) as session:
        await session.delete(addresses["address"] + "/control/faults")
        async with session.post(addresses["endpoint"], data=BODY) as answer:
            assert answer.status == 200
        async with session.get(addresses["address"] + "/ledger") as answer:
            assert (await answer.json())["records_accepted"] == 2
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
