"""The stand-in over real HTTP, answer by answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from pipeline.local.mixpanel.stand_in import (
    BLOCKED,
    PROJECT_TOKEN,
    PROXY_AWAY,
    PROXY_TEXT,
    RATE_LIMITED,
    MixpanelStandIn,
)
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
        session.post(f"{stand_in.endpoint}{query}", data=body) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


def test_the_stand_ins_token_is_one_that_the_settings_accept() -> None:
    assert project_token_problem(PROJECT_TOKEN) is None


async def test_events_are_imported_and_show_in_the_ledger(stand_in: MixpanelStandIn) -> None:
    assert await post(stand_in) == (200, {"code": 200, "num_records_imported": 2, "status": "OK"})
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{stand_in.address}/ledger") as answer:
            assert (await answer.json())["records_accepted"] == 2
        async with session.get(f"{stand_in.address}/ledger/records") as answer:
            rows = [orjson.loads(line) async for line in answer.content]
    assert [row["message_id"] for row in rows] == ["a", "b"]


async def test_gzip_is_read_and_broken_gzip_is_a_whole_refusal(stand_in: MixpanelStandIn) -> None:
    packed = {"Content-Encoding": "gzip"}
    assert (await post(stand_in, gzip.compress(BODY), **packed))[0] == 200
    status, answer = await post(stand_in, b"no gzip", **packed)
    assert status == 400
    assert "failed_records" not in answer


async def test_a_service_account_names_its_project(stand_in: MixpanelStandIn) -> None:
    assert (await post(stand_in, credentials="user:secret", query="?strict=1&project_id=12"))[0] == 200
    assert (await post(stand_in, credentials="user:secret", query="?strict=1&project_id=13"))[0] == 401


async def test_wrong_credentials_have_the_documented_answer(stand_in: MixpanelStandIn) -> None:
    documented = {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}
    assert await post(stand_in, credentials="other:") == (401, documented)
    assert not stand_in.ledger.accepted


async def test_without_strict_invalid_events_vanish(stand_in: MixpanelStandIn) -> None:
    assert (await post(stand_in, b"[" + record("a_b") + b"]", query="?strict=0"))[0] == 200
    assert not stand_in.ledger.accepted


@pytest.mark.parametrize(
    ("fault", "status", "says", "accepted"),
    [
        (PROXY_AWAY, 503, PROXY_TEXT, 0),
        (RATE_LIMITED, 429, "exceeded rate limits", 0),
        (BLOCKED, 403, "<html>", 0),
        (AnswerStatus(status=401), 401, "", 0),
        (Refuse(max_bytes=10), 413, "", 0),
        (Refuse(text='"a"'), 400, "num_records_imported", 0),
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
