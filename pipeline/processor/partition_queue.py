"""The batches of one partition that wait for their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.processor.turn import Turn


class PartitionQueue:
    """Batches of one partition in order. ``busy`` is true while the first one is on its way.

    Usually a round takes the first batches of all partitions. A batch that has to wait has its own task, so that
    it delays no other partition.
    """

    __slots__ = ("busy", "closed", "partition", "task", "turn", "waiting")

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.waiting: deque[MessageBatch] = deque()
        self.busy = False
        self.closed = False
        self.turn: Turn | None = None
        self.task: asyncio.Task[None] | None = None

    def go_alone(self, way: Coroutine[None, None, None], on_end: Callable[[asyncio.Task[None]], None]) -> None:
        """Start a task for the first batch alone."""
        self.task = asyncio.create_task(way)
        self.task.add_done_callback(on_end)

    def settled(self) -> None:
        """Remove the first batch."""
        self.waiting.popleft()
        self.released()

    def released(self) -> None:
        """Let the next batch begin."""
        self.busy = False
        self.turn = self.task = None

    async def close(self) -> int:
        """Stop all writes; return how many messages were not settled."""
        self.closed = True
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        elif self.turn is not None:
            self.turn.cancel()
        return sum(len(batch.messages) for batch in self.waiting)
