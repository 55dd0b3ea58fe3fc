"""The event loop of a worker's process, and its end, which a silent broker must not delay."""

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


def run_in_own_loop(step: Coroutine[Any, Any, int]) -> int:
    """Run a worker to its end, end what it has left behind, and return its exit code.

    `asyncio.run` cancels such tasks once and waits for them without limit. aiokafka waits for the answers to its
    requests when it is cancelled once, so its tasks are cancelled again until they end. What does not is left to the
    end of the process.
    """
    return asyncio.run(_leaving_nothing(step))


async def _leaving_nothing(step: Coroutine[Any, Any, int]) -> int:
    code = await step
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    deadline = loop.time() + ABANDON_SECONDS
    while rest := asyncio.all_tasks() - {own}:
        if loop.time() > deadline:
            logger.warning("left while something still ran", tasks=sorted(task.get_name() for task in rest))
            sys.stderr.flush()
            os._exit(code)
        for task in rest:
            task.cancel()
        await asyncio.wait(rest, timeout=_AGAIN_SECONDS)
    return code
