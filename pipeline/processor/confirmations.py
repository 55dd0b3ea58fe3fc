"""The writes of a round that the broker has not confirmed yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.processor.partition_queue import PartitionQueue


class Confirmations:
    """Waits for the confirmations of several partitions, without a task or a timer for each of them.

    `asyncio.wait` adds and removes a callback for each future at every call; here each future gets one, once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending: dict[asyncio.Future[Any], PartitionQueue] = {}
        self._done: list[asyncio.Future[Any]] = []
        self._news: asyncio.Future[None] | None = None

    def add(self, confirmation: asyncio.Future[Any], queue: PartitionQueue) -> None:
        """Wait for the first batch of a queue, too."""
        self._pending[confirmation] = queue
        confirmation.add_done_callback(self._on_done)

    async def next(self, deadline: float) -> list[PartitionQueue]:
        """Return the queues with news: a write of theirs is confirmed or has failed, or the deadline has passed.

        Returns an empty list when nothing is pending. `deadline` is a time of the event loop.
        """
        if self._pending and not self._done:
            self._news = self._loop.create_future()
            timer = self._loop.call_at(deadline, self._wake)
            try:
                await self._news
            finally:
                self._news = None
                timer.cancel()
        done, self._done = self._done or list(self._pending), []
        return [self._pending.pop(confirmation) for confirmation in done if confirmation in self._pending]

    def _on_done(self, confirmation: asyncio.Future[Any]) -> None:
        self._done.append(confirmation)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
