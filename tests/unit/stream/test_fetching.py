from __future__ import annotations

import asyncio

import pytest

from pipeline.stream import fetching
from pipeline.stream.fetching import ConsumerThread


async def test_a_late_commit_is_repeated_no_more_once_its_partitions_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "COMMIT_TIMEOUT_SECONDS", 0.05)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.thread_loop = asyncio.get_running_loop()
    stored: list[str] = []
    next_try = asyncio.Event()

    async def repeats() -> None:
        await next_try.wait()
        stored.append("late")

    async def stores() -> None:
        stored.append("next")

    with pytest.raises(TimeoutError):
        await thread._bounded(repeats())
    thread.abandon_commit()
    await thread._bounded(stores())
    next_try.set()
    await asyncio.sleep(0)
    assert stored == ["next"]


async def test_a_commit_that_is_waited_for_and_given_up_counts_as_not_stored() -> None:
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.thread_loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    async def waits() -> None:
        asked.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(thread._bounded(waits()))
    await asked.wait()
    thread.abandon_commit()
    with pytest.raises(TimeoutError):
        await waiting
    assert thread._storing is None
