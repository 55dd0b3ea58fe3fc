from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.metrics.stream import StreamMetrics
from pipeline.runtime.errors import WorkerError
from pipeline.stream.worker import Worker, WorkerOptions
from tests.fakes.stream import app_options
from tests.fakes.worker import survive_signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.stream.step import Step

BOUND_SECONDS = 5.0


def worker_that_opens(opens: Any) -> Worker:
    registry = CollectorRegistry()
    options = WorkerOptions(
        app=app_options(),
        http_host="127.0.0.1",
        http_port=0,
        shutdown_timeout_seconds=1.0,
        stall_timeout_seconds=60.0,
    )
    return Worker(options, registry=registry, metrics=StreamMetrics(registry), open_step=opens)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_kafka_is_still_looked_for_ends_the_worker_with_0(number: signal.Signals) -> None:
    ended: list[str] = []
    survive_signals()

    @asynccontextmanager
    async def never_connects() -> AsyncIterator[Step]:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
            yield cast("Step", None)
        finally:
            await asyncio.sleep(0.1)  # closing connections takes a while
            ended.append("gave up connecting")

    code = await asyncio.wait_for(worker_that_opens(never_connects).run(), BOUND_SECONDS)
    assert (code, ended) == (0, ["gave up connecting"])


async def test_a_step_that_cannot_be_opened_ends_the_worker_with_1() -> None:
    @asynccontextmanager
    async def fails(*, connects: bool = False) -> AsyncIterator[Step]:
        if not connects:
            raise WorkerError("there is nothing to work with")
        yield cast("Step", None)

    assert await asyncio.wait_for(worker_that_opens(fails).run(), BOUND_SECONDS) == 1


async def test_a_worker_without_fausts_compiled_modules_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stream.environment.streams._CStreamIterator", None)

    def opens() -> None:
        raise AssertionError("nothing is opened")

    with structlog.testing.capture_logs() as lines:
        assert await asyncio.wait_for(worker_that_opens(opens).run(), BOUND_SECONDS) == 1
    assert [line["event"] for line in lines] == ["the worker cannot start"]
    assert "NO_CYTHON" in lines[0]["error"]
