"""The event loop of a worker's process, whose end a silent broker must not delay."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Coroutine

logger = structlog.get_logger(__name__)

ABANDON_SECONDS: Final = 3.0
_AGAIN_SECONDS: Final = 0.05


def run_in_own_loop(worker: Coroutine[Any, Any, int]) -> int:
    """Run a worker, end the tasks that it leaves behind, and return its exit code.

    `asyncio.run` cancels such tasks once and waits for them without limit. A cancelled aiokafka
    waits for the answers to its requests. So its tasks are cancelled again until they end, or the process exits first.
    """
    return asyncio.run(_leaving_nothing(worker))


async def _leaving_nothing(worker: Coroutine[Any, Any, int]) -> int:
    code = await worker
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    deadline = loop.time() + ABANDON_SECONDS
    while rest := asyncio.all_tasks() - {own}:
        if loop.time() > deadline:
            logger.warning("exiting with unfinished tasks", tasks=sorted(task.get_name() for task in rest))
            sys.stderr.flush()
            os._exit(code)
        for task in rest:
            task.cancel()
        await asyncio.wait(rest, timeout=_AGAIN_SECONDS)
    return code
