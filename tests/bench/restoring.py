"""Restore tracked users while a real status server on the same event loop answers probes.

The marks of 1, 3 and 10 million users are written, and each time all are restored in a separate process
(`tests.bench.restore_process`): a restart must not make a worker look dead, and its time must not grow faster than the
users.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pipeline.runtime.leash import leashed
from tests.bench.restore_process import Restored, connection_to
from tests.bench.runs import RunError
from tests.bench.tracked_marks import write_marks
from tests.bench.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.cluster import Cluster

PARTITIONS: Final = 16
USERS: Final = (1_000_000, 3_000_000, 10_000_000)
MOST_STEP_MS: Final = 50.0
MOST_GROWTH: Final = 1.25
"""CPU per user of the largest restore relative to the smallest; 1 is linear, and the rest is noise."""
RESTORE_SECONDS: Final = 900


def measure_restores(cluster: Cluster, *, users: Sequence[int] = USERS, tell: Callable[[str], None]) -> list[Restored]:
    """Write marks of more and more users, and restore each time.

    Raises:
        RunError: a restore failed, or did not return all users.
    """
    connection = connection_to(cluster.bootstrap_servers)
    restored: list[Restored] = []
    with cluster.topic("tracked", partitions=PARTITIONS) as topic:
        written = 0
        for count in users:
            asyncio.run(write_marks(connection, topic, shares_of(written, count)))
            written = count
            restored.append(_in_a_process(cluster, topic, count))
            tell(str(restored[-1]))
    return restored


def restore_verdicts(restored: Sequence[Restored], scale: float) -> Iterator[Verdict]:
    """Compare the largest restore with its bars."""
    largest, smallest = max(restored, key=_users), min(restored, key=_users)
    for how, milliseconds in (
        ("CPU of the longest step", largest.longest_step_cpu_ms),
        ("longest step by the clock, waits for a core included", largest.longest_step_ms),
    ):
        yield Verdict(
            name=f"{largest.users:,} users restored: {how} (bar {MOST_STEP_MS:g} x scale)",
            value=milliseconds,
            bar=MOST_STEP_MS * scale,
            unit="ms",
        )
    yield Verdict(
        name=f"CPU per user, {largest.users:,} relative to {smallest.users:,} users",
        value=largest.cpu_microseconds_per_user / smallest.cpu_microseconds_per_user,
        bar=MOST_GROWTH,
        unit="x",
    )


def restore_figures(restored: Sequence[Restored], scale: float) -> dict[str, Any]:
    """Return the figures as the report shows them."""
    found = {str(each.users): {name: round(value, 2) for name, value in asdict(each).items()} for each in restored}
    return {"restore": {**found, "scale": round(scale, 2)}}


def _users(restored: Restored) -> int:
    return restored.users


def shares_of(first: int, end: int) -> list[Iterator[tuple[bytes, int]]]:
    """Return the marks of a range of users, spread over the partitions."""

    def share(partition: int) -> Iterator[tuple[bytes, int]]:
        start = first + (partition - first) % PARTITIONS
        return ((b"user-%031d" % number, number) for number in range(start, end, PARTITIONS))

    return [share(partition) for partition in range(PARTITIONS)]


def _in_a_process(cluster: Cluster, topic: str, users: int) -> Restored:
    command = [sys.executable, "-m", "tests.bench.restore_process", cluster.bootstrap_servers, topic, str(PARTITIONS)]
    try:
        run = subprocess.run(leashed(command), capture_output=True, text=True, timeout=RESTORE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{users:,} users were not restored in {RESTORE_SECONDS} s") from error
    if run.returncode:
        raise RunError(f"the restore of {users:,} users failed:\n{run.stderr[-3_000:]}")
    restored = Restored(**json.loads(run.stdout.splitlines()[-1]))
    if restored.users != users:
        raise RunError(f"{restored.users:,} of {users:,} users were restored")
    return restored
