"""The batches of one partition that wait to be decided and written, the first of them at work."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pipeline.core.messages import MessageBatch, Partition


class Line:
    """What waits of a partition. `busy` is true while the first batch is being decided or written.

    Usually a round does that for all partitions at once. Where a batch has to wait for something, it has a task of its
    own, so that it delays no other partition.
    """

    __slots__ = ("busy", "closed", "confirmation", "hold_reason", "place", "task", "waiting")

    def __init__(self, place: Partition) -> None:
        self.place = place
        self.waiting: deque[MessageBatch] = deque()
        self.busy = False
        self.closed = False
        self.hold_reason: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.confirmation: asyncio.Future[Any] | None = None

    @property
    def ready(self) -> bool:
        """Whether a batch waits and none is at work."""
        return bool(self.waiting) and not self.busy

    @property
    def at_rest(self) -> bool:
        """Whether nothing more will be written soon: nothing waits, or the first batch is held."""
        return not self.waiting or self.hold_reason is not None

    def go_alone(self, work: Coroutine[None, None, None], report: Callable[[asyncio.Task[None]], None]) -> None:
        """Start a task for the first batch alone."""
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(report)

    def settled(self) -> None:
        """Remove the first batch."""
        self.waiting.popleft()
        self.busy = False
        self.task = self.confirmation = None

    async def close(self) -> int:
        """Let nothing more be written; return how many messages were not settled."""
        self.closed = True
        if self.confirmation is not None:
            self.confirmation.cancel()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        return sum(len(batch.messages) for batch in self.waiting)
