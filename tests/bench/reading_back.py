"""Restore marks in this process, of many partitions and of one: the rate, and how long the event loop is blocked."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.bench.restore_process import connection_to
from tests.bench.tracked_marks import state_store_of, write_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.cluster import Cluster

LEAST_A_SECOND: Final = 200_000


async def read_back(cluster: Cluster, users: int, spread: int) -> None:
    """Write marks to a topic and restore them; print the rate, and how long the event loop was blocked at a time."""
    connection = connection_to(cluster.bootstrap_servers)
    with cluster.topic("tracked") as topic:
        shares = [
            ((b"user-%031d" % number, number) for number in range(first, users, spread)) for first in range(spread)
        ]
        await write_marks(connection, topic, shares)
        store = state_store_of(connection, topic)
        with _busy() as longest:
            started, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*map(store.restore, range(spread)))
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        if store.tracked_users() != users:
            raise AssertionError(f"{store.tracked_users():,} users were restored")
    by_cpu = users / cpu
    bar = "" if by_cpu >= LEAST_A_SECOND else f"  MISS ({LEAST_A_SECOND:,})"
    print(
        f"{users:,} users restored from {spread} partitions: {users / seconds:,.0f}/s by wall clock, "
        f"{by_cpu:,.0f} per CPU second{bar}; the event loop was blocked for {max(longest) * 1000:.0f} ms at most"
    )


@contextmanager
def _busy() -> Iterator[list[float]]:
    """Yield a list to which the delay of each wake-up of the event loop is added, in seconds."""
    late = [0.0]

    async def watch() -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - asked - 0.005)

    task = asyncio.ensure_future(watch())
    try:
        yield late
    finally:
        task.cancel()
