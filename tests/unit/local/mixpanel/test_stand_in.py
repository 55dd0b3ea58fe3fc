"""The stand-in over real HTTP, answer by answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import io
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from pipeline.local.mixpanel.answers import EDGE_PAGE, PROXY_TEXT
from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN, MixpanelStandIn
from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    Fault,
    Refuse,
    RefuseRecords,
    Reset,
    TakeAndDrop,
    WrongNumber,
)
from pipeline.sinks.mixpanel.credentials import project_token_problem
from tests.fakes.mixpanel import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b"[" + record("a") + b"," + record("b") + b"]"
ACCOUNTS = {"user:secret": "12"}
INVALID = {"code": 400, "error": "some data points in the request failed validation", "status": "Bad Request"}


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


@pytest.fixture
async def stand_in() -> AsyncIterator[MixpanelStandIn]:
    made = MixpanelStandIn(accounts=ACCOUNTS)
    await made.start()
    yield made
    await made.stop()


async def post(
    stand_in: MixpanelStandIn,
    body: bytes = BODY,
    credentials: str = f"{PROJECT_TOKEN}:",
    query: str = "?strict=1",
    **headers: str,
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers=basic(credentials) | headers) as session,
        session.post(f"{stand_in.endpoint}{query}", data=io.BytesIO(body)) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


def test_the_stand_ins_token_is_one_that_the_settings_accept() -> None:
    assert project_token_problem(PROJECT_TOKEN) is None


async def test_events_are_imported_and_show_in_the_ledger(stand_in: MixpanelStandIn) -> None:
    assert await post(stand_in) == (200, {"code": 200, "num_records_imported": 2, "status": "OK"})
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{stand_in.address}/ledger") as answer:
            summary = await answer.json()
        async with session.get(f"{stand_in.address}/ledger/records") as answer:
            rows = [orjson.loads(line) async for line in answer.content]
    assert (summary["records_accepted"], summary["raw_rows"], summary["report_rows"]) == (2, 2, 2)
    assert rows == [{"message_id": "a", "user": "u-1"}, {"message_id": "b", "user": "u-1"}]


async def test_gzip_is_read(stand_in: MixpanelStandIn) -> None:
    assert (await post(stand_in, gzip.compress(BODY), **{"Content-Encoding": "gzip"}))[0] == 200
    assert stand_in.ledger.requests[-1].encoding == "gzip"
    assert stand_in.ledger.requests[-1].size == len(BODY)


@pytest.mark.parametrize("fault", [None, RefuseRecords(text="a"), AnswerStatus(status=503), WrongNumber(), CutAnswer()])
async def test_broken_gzip_is_a_whole_refusal_during_faults_too(stand_in: MixpanelStandIn, fault: Fault | None) -> None:
    if fault is not None:
        stand_in.faults.order(fault)
    status, answer = await post(stand_in, b"no gzip", **{"Content-Encoding": "gzip"})
    assert (status, answer["num_records_imported"]) == (400, 0)
    assert "failed_records" not in answer
    assert [request.status for request in stand_in.ledger.requests] == [400]


async def test_a_service_account_names_its_project(stand_in: MixpanelStandIn) -> None:
    assert (await post(stand_in, credentials="user:secret", query="?strict=1&project_id=12"))[0] == 200
    assert (await post(stand_in, credentials="user:secret", query="?strict=1&project_id=13"))[0] == 401


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("", {**INVALID, "num_records_imported": 1}),
        ("?strict=1", {**INVALID, "num_records_imported": 1}),
        ("?strict=0", {"code": 200, "num_records_imported": 1, "status": "OK"}),
    ],
)
async def test_only_without_strict_an_invalid_event_vanishes(
    stand_in: MixpanelStandIn, query: str, answer: dict[str, Any]
) -> None:
    status, found = await post(stand_in, b"[" + record("a") + b"," + record("a_b") + b"]", query=query)
    rows = found.pop("failed_records", [])
    assert (status, found) == (answer["code"], answer)
    assert [(row["index"], row["insert_id"], row["field"]) for row in rows] == (
        [] if status == 200 else [(1, "a_b", "properties.$insert_id")]
    )
    assert {key for row in rows for key in row} <= {"index", "insert_id", "field", "message"}
    assert list(stand_in.ledger.accepted) == ["a"]


@pytest.mark.parametrize(
    ("body", "credentials", "status", "answer"),
    [
        (BODY, "other:", 401, {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}),
        (
            b" " * 2_097_153,
            f"{PROJECT_TOKEN}:",
            413,
            {
                "code": 413,
                "error": "request exceeds max limit of 2097152 bytes",
                "status": "Request Entity Too Large",
            },
        ),
        (
            b"[" + record("a") + b"," + record("b", event="$identify") + b"]",
            f"{PROJECT_TOKEN}:",
            400,
            {
                **INVALID,
                "num_records_imported": 0,
                "failed_records": ["identity events are not allowed on a project with simplified identity"],
            },
        ),
        (
            BODY[:-1],
            f"{PROJECT_TOKEN}:",
            400,
            {**INVALID, "error": "the request body cannot be read as JSON", "num_records_imported": 0},
        ),
    ],
)
async def test_a_refused_request_has_the_documented_answer_and_imports_nothing(
    stand_in: MixpanelStandIn, body: bytes, credentials: str, status: int, answer: dict[str, Any]
) -> None:
    assert await post(stand_in, body, credentials) == (status, answer)
    assert not stand_in.ledger.raw


@pytest.mark.parametrize("retry_after", [None, "7"])
async def test_a_rate_limit_has_the_documented_answer_and_retry_after_only_if_asked_for(
    stand_in: MixpanelStandIn, retry_after: str | None
) -> None:
    stand_in.faults.order(AnswerStatus(status=429, retry_after=retry_after))
    async with aiohttp.ClientSession() as session, session.post(stand_in.endpoint, data=BODY) as answer:
        assert answer.headers.get("Retry-After") == retry_after
        assert await answer.json() == {
            "code": 429,
            "error": "Project exceeded rate limits. Please retry the request with exponential backoff.",
            "status": "Too Many Requests",
        }


@pytest.mark.parametrize(
    ("fault", "status", "says", "accepted"),
    [
        (AnswerStatus(status=502), 502, PROXY_TEXT, 0),
        (AnswerStatus(status=503), 503, PROXY_TEXT, 0),
        (AnswerStatus(status=460), 460, PROXY_TEXT, 0),
        (AnswerStatus(status=503, body=""), 503, "", 0),
        (AnswerStatus(status=403), 403, EDGE_PAGE, 0),
        (AnswerStatus(status=401), 401, "Invalid credentials", 0),
        (Refuse(max_bytes=10), 413, "2097152", 0),
        (Refuse(text='"a"'), 400, "'num_records_imported': 0", 0),
        (WrongNumber(), 200, "'num_records_imported': 1", 2),
        (WrongNumber(difference=3), 200, "'num_records_imported': 5", 2),
        (RefuseRecords(text='"a"'), 400, "'num_records_imported': 1", 1),
        (RefuseRecords(text='"a"', twice=True), 400, "'num_records_imported': 1", 1),
        (RefuseRecords(text='"a"', whole=True), 400, "['refused']", 0),
        (RefuseRecords(text="nowhere", whole=True), 200, "'num_records_imported': 2", 2),
    ],
)
async def test_faults_answer_as_mixpanel_or_what_is_before_it(
    stand_in: MixpanelStandIn, fault: Fault, status: int, says: str, accepted: int
) -> None:
    stand_in.faults.order(fault)
    found, answer = await post(stand_in)
    assert found == status
    assert says in str(answer)
    assert len(stand_in.ledger.accepted) == accepted
    assert (await post(stand_in))[0] == 200
    await stand_in.accepted(2)


@pytest.mark.parametrize(
    ("body", "imported"), [(b"[" + record("a_b") + b"," + record("a") + b"]", 2), (b"[" + record("a_b") + b"]", 0)]
)
async def test_a_partial_refusal_can_have_a_wrong_number_too(
    stand_in: MixpanelStandIn, body: bytes, imported: int
) -> None:
    stand_in.faults.order(WrongNumber(difference=1))
    status, answer = await post(stand_in, body)
    assert (status, answer["num_records_imported"], len(answer["failed_records"])) == (400, imported, 1)


@pytest.mark.parametrize(("fault", "accepted"), [(Reset(), 0), (TakeAndDrop(), 2), (CutAnswer(), 2)])
async def test_a_lost_connection_leaves_open_what_was_accepted(
    stand_in: MixpanelStandIn, fault: Fault, accepted: int
) -> None:
    stand_in.faults.order(fault)
    with contextlib.suppress(aiohttp.ClientError):
        await post(stand_in)
    assert len(stand_in.ledger.accepted) == accepted


async def test_the_schedule_draws_only_faults_from_which_a_client_recovers(stand_in: MixpanelStandIn) -> None:
    stand_in.faults.schedule(seed=3, rate=1.0)
    drawn = {repr(stand_in.faults.draw()) for _ in range(200)}
    assert len(drawn) == 9


async def test_it_runs_as_a_process_of_its_own_and_ends_with_a_signal() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.local.mixpanel.stand_in"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    announced = json.loads(await process.stdout.readline())
    assert announced["endpoint"] == f"{announced['address']}/import"
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
