"""The order in which a worker ends."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from pipeline.runtime.shutdown import shut_down
from tests.fakes.virtual_time import run_virtual


class Parts:
    """What a worker does at its end, in the order in which it was done."""

    def __init__(self, *, commits: int = 1, error: Exception | None = None, leave_seconds: float = 0.0) -> None:
        self.effects: list[str] = []
        self._commits = commits
        self._error = error
        self._leave_seconds = leave_seconds

    async def drain(self) -> None:
        self.effects.append("drained")

    async def commit(self) -> bool:
        if self._error is not None:
            raise self._error
        self._commits -= 1
        if self._commits >= 0:
            self.effects.append("committed")
        return self._commits >= 0

    async def leave(self) -> None:
        await asyncio.sleep(self._leave_seconds)
        self.effects.append("left")


def end_of(parts: Parts, *, drains: bool = True) -> tuple[list[str], list[Any], float]:
    async def story() -> float:
        await shut_down(
            drain=parts.drain if drains else None, commit=parts.commit, leave=parts.leave, timeout_seconds=5.0
        )
        return asyncio.get_running_loop().time()

    with structlog.testing.capture_logs() as lines:
        seconds = run_virtual(story())
    return parts.effects, [line["event"] for line in lines], seconds


def test_what_is_in_hand_is_settled_and_committed_before_the_group_is_left() -> None:
    assert end_of(Parts()) == (["drained", "committed", "left"], [], 0.0)


def test_what_is_settled_during_a_commit_is_committed_too() -> None:
    assert end_of(Parts(commits=3))[0] == ["drained", "committed", "committed", "committed", "left"]


def test_after_a_fault_nothing_is_drained() -> None:
    assert end_of(Parts(), drains=False)[0] == ["committed", "left"]


def test_the_group_is_left_when_a_commit_fails_and_that_is_logged() -> None:
    effects, events, _ = end_of(Parts(error=RuntimeError("refused")))
    assert effects == ["drained", "left"]
    assert events == ["stopped uncleanly; uncommitted messages will be redelivered"]


def test_a_group_that_cannot_be_left_in_time_is_abandoned() -> None:
    effects, events, seconds = end_of(Parts(leave_seconds=60.0))
    assert (effects, seconds) == (["drained", "committed"], 5.0)
    assert events == ["stopped without a last commit or without leaving the group; messages will be redelivered"]
