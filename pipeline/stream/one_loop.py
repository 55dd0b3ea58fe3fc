"""Faust's consumer service without its thread."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mode import Service
from mode.threads import QueueServiceThread

from pipeline.kafka.errors import ClusterFaultError
from pipeline.runtime.errors import WorkerError

if TYPE_CHECKING:
    from typing import Any


class ServedInOneLoop(QueueServiceThread):  # type: ignore[misc] # mode's classes have no usable types
    """A service that mode would run in its own thread, here in the event loop that starts it.

    The thread exists so that heartbeats are sent while an agent is busy. Our agents are never busy for long: a step of
    the event loop takes about 50 milliseconds, a session 15 seconds. At an ordinary rate the thread costs a tenth of
    the CPU, because each fetch and each commit crosses threads twice. In a backlog the two threads contend for the GIL.
    """

    abstract = True
    _serving: asyncio.Task[None]

    def __init__(self, *args: Any, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(*args, loop=loop, thread_loop=loop, **kwargs)

    async def start(self) -> None:
        """Start, and return when the service runs.

        Raises:
            Exception: the error that kept it from starting.
        """
        self._thread_started.set()
        running = self._thread_running = self.parent_loop.create_future()
        self._serving = self.parent_loop.create_task(self._serve())
        self._serving.add_done_callback(_look_at_end)
        try:
            await running
        finally:
            self._thread_running = None

    async def stop(self) -> None:
        """Stop, and return when all of the service has ended."""
        if self._started.is_set():
            await super().stop()
            await asyncio.wait({self._serving})

    async def crash(self, reason: BaseException) -> None:
        """End with a fault. mode logs it with a traceback, except for errors whose text the worker logs."""
        if isinstance(reason, (WorkerError, ClusterFaultError)):
            self.logger.setLevel(logging.CRITICAL)
        await super().crash(reason)

    async def _gather_remaining_tasks(self) -> None:
        """Do nothing: the tasks of the loop do not belong to the service."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _thread_keepalive(self) -> None:
        """Return at once: there is no thread to keep awake."""


def _look_at_end(serving: asyncio.Task[None]) -> None:
    """Retrieve the fault, which `crash` has already handled; otherwise asyncio would log it again."""
    if not serving.cancelled():
        serving.exception()
