"""How long a worker may take to end, and what it logs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from pipeline.kafka.errors import ClusterFaultError
from pipeline.runtime.errors import WorkerError
from pipeline.stream.app import FAUST_LOGGER
from tests.fakes.virtual_time import run_virtual
from tests.fakes.worker import EndBench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SHUTDOWN_SECONDS, LEAVE_SECONDS = 7.0, 1.0
"""The times of `EndBench`."""


@pytest.fixture(autouse=True)
def level_put_back() -> Iterator[None]:
    before = FAUST_LOGGER.level
    yield
    FAUST_LOGGER.setLevel(before)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def seconds_to_end(bench: EndBench) -> float:
    """Run a worker that is told to stop, and return how long its end takes."""
    loop = asyncio.get_running_loop()
    app: Any = bench.app
    running = asyncio.create_task(bench.worker._run_until_the_end(app, bench.step))
    await asyncio.sleep(100.0)
    assert not running.done()
    bench.worker._stop.set()
    began = loop.time()
    await running
    return loop.time() - began


def test_a_worker_that_has_nothing_in_hand_ends_at_once(lines: list[Any]) -> None:
    async def story() -> float:
        return await seconds_to_end(EndBench())

    assert (run_virtual(story()), lines) == (0.0, [])


def test_a_group_that_cannot_be_left_is_left_behind_after_a_while(lines: list[Any]) -> None:
    async def story() -> tuple[float, bool]:
        bench, cancelled = EndBench(), asyncio.Event()

        async def stop() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                cancelled.set()

        bench.app.stop = stop  # type: ignore[method-assign]
        seconds = await seconds_to_end(bench)
        await asyncio.sleep(0)
        return seconds, cancelled.is_set()

    assert run_virtual(story()) == (SHUTDOWN_SECONDS + LEAVE_SECONDS, True)
    assert [line["event"] for line in lines] == [
        "stopped without a last commit or without leaving the group; messages will be redelivered"
    ]


def test_a_leaving_that_takes_as_long_as_it_may_is_waited_for(lines: list[Any]) -> None:
    async def story() -> tuple[float, list[str]]:
        bench = EndBench()
        stop = bench.app.stop

        async def stops_slowly() -> None:
            await asyncio.sleep(SHUTDOWN_SECONDS + LEAVE_SECONDS - 0.5)
            await stop()

        bench.app.stop = stops_slowly  # type: ignore[method-assign]
        return await seconds_to_end(bench), bench.effects

    seconds, effects = run_virtual(story())
    assert (seconds, effects[-1], lines) == (SHUTDOWN_SECONDS + LEAVE_SECONDS - 0.5, "left", [])


def test_a_commit_that_is_refused_at_the_end_is_told(lines: list[Any]) -> None:
    async def story() -> float:
        bench = EndBench()

        async def commit() -> bool:
            raise RuntimeError("refused for good")

        bench.app.batch_consumer.commit = commit  # type: ignore[method-assign]
        return await seconds_to_end(bench)

    assert run_virtual(story()) == 0.0
    assert [(line["event"], line["error"]) for line in lines] == [
        ("stopped uncleanly; uncommitted messages will be redelivered", "RuntimeError('refused for good')")
    ]


def test_a_task_that_does_not_let_itself_be_cancelled_keeps_a_worker_only_for_a_while(lines: list[Any]) -> None:
    async def watches_on() -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 150.0
        while loop.time() < until:
            try:
                await asyncio.sleep(until - loop.time())
            except asyncio.CancelledError:
                continue

    async def story() -> float:
        return await seconds_to_end(EndBench(watch=watches_on))

    assert (run_virtual(story()), lines) == (LEAVE_SECONDS, [])


def test_everything_that_ran_beside_the_step_is_cancelled_in_the_end() -> None:
    async def story() -> tuple[list[str], set[str]]:
        ended = []

        async def watches() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.5)
                ended.append("watching the topics")

        await seconds_to_end(EndBench(watch=watches))
        own = asyncio.current_task()
        return ended, {task.get_name() for task in asyncio.all_tasks() if task is not own}

    assert run_virtual(story()) == (["watching the topics"], set())


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fails() -> None:
        raise error

    return fails


@pytest.mark.parametrize(
    ("error", "is_told_with_its_traceback"),
    [
        (RuntimeError("a mistake in the program"), True),
        (WorkerError("the port is taken"), False),
        (ClusterFaultError({"raw": "is not there"}), False),
    ],
    ids=["mistake", "worker", "cluster"],
)
def test_a_fault_is_told_once_and_faust_says_nothing_of_what_follows(
    error: Exception,
    is_told_with_its_traceback: bool,  # noqa: FBT001
    lines: list[Any],
) -> None:
    async def story() -> None:
        bench = EndBench(watch=failing(error))
        await bench.until_the_end()
        assert bench.worker._fault is error

    run_virtual(story())
    assert [(line["event"], line["error"], line["log_level"]) for line in lines] == [
        ("worker ends after a fault; unsettled messages stay in Kafka", str(error), "error")
    ]
    assert (lines[0]["exc_info"] is error) is is_told_with_its_traceback
    assert FAUST_LOGGER.level == logging.CRITICAL


def test_a_start_that_fails_is_a_fault(lines: list[Any]) -> None:
    async def story() -> None:
        bench = EndBench()
        error = OSError("no space left")
        bench.app.start = failing(error)  # type: ignore[method-assign, assignment]
        assert await bench.until_the_end() == ["stopped the flow", "suspended", "cleared", "left"]
        assert bench.worker._fault is error

    run_virtual(story())
    assert [line["error"] for line in lines] == ["no space left"]


def test_two_faults_at_once_are_one(lines: list[Any]) -> None:
    async def story() -> None:
        bench = EndBench(watch=failing(RuntimeError("one of two")))
        bench.app.start = failing(RuntimeError("one of two"))  # type: ignore[method-assign, assignment]
        await bench.until_the_end()

    run_virtual(story())
    assert [line["error"] for line in lines] == ["one of two"]
