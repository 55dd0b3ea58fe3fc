"""When settled offsets are committed, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.stream.ledger import Position
from tests.fakes.stream import TransportBench, messages, tp
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.stream.ledger import TopicPartition

SPACING = 0.02
START = Position(offset=0, committed=True)
PARTITIONS = 50


class Commits:
    """A consumer that commits by itself, and when its commits were confirmed."""

    def __init__(self) -> None:
        self.bench = TransportBench()
        self.times: list[float] = []
        self.confirmed: list[float] = []
        self.stored: list[dict[TopicPartition, int]] = []
        self.calls = 0
        consumer: Any = self.bench.consumer
        self._commit = consumer.commit
        consumer.options = replace(self.bench.options, on_committed=self._on_committed)
        consumer.commit = self._counted

    def gaps(self) -> list[float]:
        """Return the times between commits, except for the last one, which has nothing to wait for."""
        return [after - before for before, after in zip(self.times[:-2], self.times[1:-1], strict=True)]

    def _on_committed(self) -> None:
        self.confirmed.append(asyncio.get_running_loop().time())

    async def _counted(self) -> bool:
        self.calls += 1
        committed: bool = await self._commit()
        return committed

    def deliver(self, partitions: int, *, offset: int = 0) -> list[Callable[[], None]]:
        """Deliver a round with a message of each partition; return the functions that settle them."""
        ledger = self.bench.consumer.ledger
        return [ledger.deliver(tp(each), messages(offset, partition=each)).acknowledge for each in range(partitions)]


def commits_of(story: Callable[[Commits], Awaitable[None]]) -> Commits:
    """Run a story while settled offsets are committed, and one second longer."""

    async def run() -> Commits:
        commits = Commits()
        await commits.bench.join({tp(each): START for each in range(PARTITIONS)})
        committing = asyncio.create_task(commits.bench.consumer._commit_what_is_settled.fun(commits.bench.consumer))
        await asyncio.sleep(1)
        await story(commits)
        await asyncio.sleep(1)
        commits.stored, commits.times = list(commits.bench.thread.stored), list(commits.confirmed)
        commits.bench.consumer._stopped.set()
        commits.deliver(1, offset=1_000)[0]()
        await committing  # which ends with the consumer
        return commits

    return run_virtual(run())


def test_a_round_whose_batches_are_settled_one_after_the_other_is_one_commit() -> None:
    async def story(commits: Commits) -> None:
        for settle in commits.deliver(4):
            settle()
            await asyncio.sleep(SPACING / 5)

    commits = commits_of(story)
    assert commits.stored == [{tp(each): 1 for each in range(4)}]


def test_a_round_that_is_settled_as_a_whole_is_committed_at_once() -> None:
    async def story(commits: Commits) -> None:
        for settle in commits.deliver(4):
            settle()

    commits = commits_of(story)
    assert commits.stored == [{tp(each): 1 for each in range(4)}]
    assert commits.times == [1]
    assert commits.calls == 2, "one more at the end, and none while nothing was settled"


def test_what_is_settled_of_a_round_that_takes_longer_is_committed_after_the_spacing() -> None:
    async def story(commits: Commits) -> None:
        for settle in commits.deliver(PARTITIONS):
            settle()
            await asyncio.sleep(SPACING / 5)

    commits = commits_of(story)
    first, *_ = commits.times
    gaps = commits.gaps()
    assert first == pytest.approx(1 + SPACING)
    assert len(gaps) > 5
    assert [gap for gap in gaps if not SPACING * 0.99 <= gap <= SPACING * 1.25] == []
    assert sum(len(offsets) for offsets in commits.stored) == PARTITIONS


def test_rounds_that_follow_one_another_quickly_share_commits() -> None:
    async def story(commits: Commits) -> None:
        for offset in range(40):
            for settle in commits.deliver(2, offset=offset):
                settle()
            await asyncio.sleep(SPACING / 10)

    commits = commits_of(story)
    gaps = commits.gaps()
    assert (commits.times[0], commits.stored[-1]) == (1, {tp(0): 40, tp(1): 40})
    assert len(gaps) > 2
    assert [gap for gap in gaps if gap < SPACING * 0.99] == []
