from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run
from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.local.stand_ins.faults import AnswerStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("logs_put_back")


@asynccontextmanager
async def _segment() -> AsyncIterator[SegmentStandIn]:
    stand_in = SegmentStandIn()
    await stand_in.start()
    try:
        yield stand_in
    finally:
        await stand_in.stop()


async def _check(endpoint: str, key: str = WRITE_KEY) -> int:
    environment = {"PIPELINE_SEGMENT_WRITE_KEY": key, "PIPELINE_SEGMENT_ENDPOINT": endpoint}
    return await asyncio.to_thread(run, ["segment", "check"], environment)


async def test_one_marked_event_reaches_segment_and_the_command_shows_where_to_find_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with _segment() as segment:
        assert await _check(segment.endpoint) == ExitCode.DONE
        (message_id,) = segment.ledger.accepted
    told = capsys.readouterr().out
    assert f"messageId {message_id}" in told
    assert "Debugger" in told
    assert WRITE_KEY not in told


async def test_an_answer_that_trying_again_cannot_change_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    async with _segment() as segment:
        segment.faults.order(AnswerStatus(status=401))
        assert await _check(segment.endpoint) == ExitCode.FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "401" in captured.err


async def test_a_segment_that_is_not_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert await _check("http://127.0.0.1:1/v1/batch") == ExitCode.FAILED
    assert "check PIPELINE_SEGMENT_ENDPOINT" in capsys.readouterr().err


async def test_a_key_of_the_wrong_shape_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    async with _segment() as segment:
        assert await _check(segment.endpoint, "short") == ExitCode.MISTAKE
        assert not segment.ledger.accepted
    assert "PIPELINE_SEGMENT_WRITE_KEY is set, but it has 5 characters" in capsys.readouterr().err


async def test_a_port_that_does_not_speak_tls_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with _segment() as segment:
        assert await _check(segment.endpoint.replace("http://", "https://")) == ExitCode.FAILED
    assert "the server does not use TLS (a plain http:// port?)" in capsys.readouterr().err
