"""The end of a worker: what is done, in order, after a signal and after a fault."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.kafka.errors import TopicLostError
from tests.fakes.worker import EndBench

DRAIN = "drain 7"
CLOSED = ["stopped the flow", "suspended", "cleared"]


async def test_a_worker_that_is_told_to_stop_fetches_no_more_settles_commits_and_leaves() -> None:
    bench = EndBench()
    bench.deliver([0, 1], [2])
    assert await bench.until_the_end(bench.worker._stop.set) == [*CLOSED, DRAIN, "committed [3]", "left"]


async def test_what_is_settled_during_the_last_commit_is_committed_too() -> None:
    bench = EndBench()
    bench.deliver([0], [1])
    first, second = bench.step.batches
    first.acknowledge()
    bench.step.batches = []
    bench.app.batch_consumer.settles_while_committing.append(second.acknowledge)
    effects = await bench.until_the_end(bench.worker._stop.set)
    assert effects == [*CLOSED, DRAIN, "committed [1]", "committed [2]", "left"]


async def test_after_a_fault_nothing_more_is_sent_and_what_is_settled_is_committed() -> None:
    bench = EndBench()
    bench.deliver([0], [1])
    bench.step.batches[0].acknowledge()
    effects = await bench.until_the_end(lambda: bench.step.fail(RuntimeError("a fault of the work")))
    assert effects == [*CLOSED, "committed [1]", "left"]


async def test_after_a_fault_beside_the_step_nothing_more_is_sent_either() -> None:
    async def fails() -> None:
        raise RuntimeError("a fault of the watch")

    bench = EndBench(watch=fails)
    bench.deliver([0])
    assert await bench.until_the_end() == [*CLOSED, "left"]


async def test_after_a_topic_was_lost_nothing_is_committed() -> None:
    async def loses() -> None:
        raise TopicLostError({"raw": "was deleted"})

    bench = EndBench(watch=loses)
    bench.deliver([0])
    bench.step.settle_all()
    assert await bench.until_the_end() == [*CLOSED, "left"]


async def test_a_fault_is_what_the_worker_ends_with() -> None:
    bench = EndBench()
    fault, later = RuntimeError("the first"), RuntimeError("the second")
    await bench.until_the_end(lambda: bench.step.fail(fault))
    assert bench.worker._fault is fault
    bench.worker._note_faults({await _failed(later)})
    assert bench.worker._fault is fault


async def _failed(error: Exception) -> asyncio.Task[None]:
    async def fails() -> None:
        raise error

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    return task


async def test_a_step_that_ended_is_not_drained() -> None:
    bench = EndBench()
    working = asyncio.create_task(asyncio.sleep(0))
    await working
    app: Any = bench.app
    bench.deliver([0])
    await bench.worker._end(app, bench.step, working)
    assert bench.effects == [*CLOSED, "left"]


@pytest.mark.parametrize("fails", [False, True])
async def test_the_group_is_left_though_the_last_commit_fails(*, fails: bool) -> None:
    bench = EndBench()

    async def commit() -> bool:
        if fails:
            raise RuntimeError("refused for good")
        return False

    bench.app.batch_consumer.commit = commit  # type: ignore[method-assign]
    assert (await bench.until_the_end(bench.worker._stop.set))[-1] == "left"
