"""The batches of one partition, written one after the other by a task of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.stream.sorting import SortedBatch

ASK_AGAIN_SECONDS: Final = 5.0
"""How often a line that holds asks whether it may go on: what other partitions bring may have changed the answer."""


class Writer(Protocol):
    """What a line needs of the processor."""

    def objection(self, decided: SortedBatch) -> str | None:
        """Say why nothing of a batch may be written; None is a promise that it will be."""

    def holds_changed(self) -> None:
        """Hear that a line began to hold, or holds no longer."""

    async def write(self, decided: SortedBatch) -> None:
        """Write a batch; returning means that it is settled."""


class Line:
    """Write batches in the order in which they came; hold at the first to which there is an objection."""

    def __init__(self, writer: Writer, fault: asyncio.Future[None]) -> None:
        self.hold_reason: str | None = None
        self._writer = writer
        self._fault = fault
        self._waiting: deque[SortedBatch] = deque()
        self._task: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    @property
    def length(self) -> int:
        return len(self._waiting)

    def put(self, decided: SortedBatch) -> None:
        """Put a batch behind the others."""
        self._waiting.append(decided)
        if self._task is None:
            self._at_rest.clear()
            self._task = asyncio.create_task(self._work())
            self._task.add_done_callback(self._report)

    async def idle(self) -> None:
        """Wait until everything is written, or nothing will be: the line failed, or holds."""
        while not self._at_rest.is_set():
            await self._at_rest.wait()

    async def close(self) -> int:
        """Stop writing; return how many messages were not settled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        return sum(decided.tally.received for decided in self._waiting)

    async def _work(self) -> None:
        while self._waiting:
            await self._until_allowed(self._waiting[0])
            await self._writer.write(self._waiting[0])
            self._waiting.popleft()
        self._task = None

    async def _until_allowed(self, decided: SortedBatch) -> None:
        while (objection := self._writer.objection(decided)) is not None:
            self._hold(objection)
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        self._hold(None)

    def _hold(self, reason: str | None) -> None:
        if reason == self.hold_reason:
            return
        self.hold_reason = reason
        if reason is None:
            self._at_rest.clear()
        else:
            self._at_rest.set()
        self._writer.holds_changed()

    def _report(self, task: asyncio.Task[None]) -> None:
        if self._task is None or self._task is task:  # a task that failed stays: nothing follows it
            self._at_rest.set()
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._fault.done():
            self._fault.set_exception(error)


async def wait_idle(lines: Collection[Line], seconds: float) -> None:
    """Wait until no line moves any more, or the time is over."""
    waits = [asyncio.ensure_future(line.idle()) for line in lines]
    if waits:
        _, pending = await asyncio.wait(waits, timeout=seconds)
        for wait in pending:
            wait.cancel()
