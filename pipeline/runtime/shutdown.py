"""The order in which a worker ends: settle what is in hand, commit it, leave the group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = structlog.get_logger(__name__)


async def shut_down(
    *,
    drain: Callable[[], Awaitable[None]] | None,
    commit: Callable[[], Awaitable[bool]],
    leave: Callable[[], Awaitable[None]],
    timeout_seconds: float,
) -> None:
    """Drain, commit and leave, and give up when the time is over. Never raises.

    Args:
        drain: Settles what is in hand within its own bound; None after a fault, when nothing more may be sent.
        commit: Commits what is settled; returns whether there was anything to commit.
        leave: Leaves the group and closes connections.
        timeout_seconds: The bound of all three.
    """
    leaving = asyncio.create_task(_in_order(drain, commit, leave), name="leave")
    # Not `wait_for`: Faust's services swallow a cancellation and go on to stop the next of them.
    await asyncio.wait({leaving}, timeout=timeout_seconds)
    if not leaving.done():
        logger.warning("stopped without a last commit or without leaving the group; messages will be redelivered")
        leaving.cancel()
    elif (error := leaving.exception()) is not None:
        logger.warning("stopped uncleanly; uncommitted messages will be redelivered", error=repr(error))


async def _in_order(
    drain: Callable[[], Awaitable[None]] | None,
    commit: Callable[[], Awaitable[bool]],
    leave: Callable[[], Awaitable[None]],
) -> None:
    try:
        if drain is not None:
            await drain()
        while await commit():  # more may be settled during a commit
            pass
    finally:
        await leave()
