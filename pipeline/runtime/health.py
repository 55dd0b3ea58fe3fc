"""Liveness and readiness: the answers of `/healthz` and `/readyz`.

A worker is alive when a restart would not help: its event loop answers, and no partition is stuck without a known
reason. It is ready when events flow, or would flow if there were any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.core.messages import Partition
    from pipeline.runtime.status import StepStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer of a page. `detail` is one sentence."""

    ok: bool
    detail: str


class Undone(NamedTuple):
    """The offset from which a restart would read a partition, and how many messages wait there."""

    offset: int
    messages: int


class Standing(NamedTuple):
    """One partition: its offset, how many messages wait, and two times on the clock of `Progress`."""

    offset: int
    messages: int
    progress_at: float
    """When it last made progress, or had nothing to do."""
    excused_at: float
    """The same, or when it last waited for a known reason."""


class Progress:
    """Knows for how long messages have waited in each partition without any progress.

    Only our own clock counts. With the times of messages, an old backlog would restart a worker again and again. A
    partition that waits on purpose, or for brokers that do not answer, is not stuck; it does not excuse the others.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        """Start without partitions. `now` is a monotonic clock in seconds."""
        self._now = now
        self._standings: dict[Partition, Standing] = {}

    def look(self, undone: Mapping[Partition, Undone], on_purpose: Collection[Partition]) -> None:
        """Called once a second with all assigned partitions. Others are forgotten."""
        now, before = self._now(), self._standings
        self._standings = {}
        for partition, (offset, messages) in undone.items():
            known = before.get(partition)
            if known is None or known.offset != offset or not messages:
                found = Standing(offset, messages, now, now)
            else:
                excused_at = now if partition in on_purpose else known.excused_at
                found = Standing(offset, messages, known.progress_at, excused_at)
            self._standings[partition] = found

    def excuse(self, partitions: Collection[Partition]) -> None:
        """Called between two looks with partitions that wait for a reason that is now known."""
        for partition in partitions:
            if (known := self._standings.get(partition)) is not None:
                self._standings[partition] = known._replace(excused_at=self._now())

    def stuck(self, *, longer_than_seconds: float) -> Collection[Partition]:
        """Return the partitions without progress and without a known reason for longer than this."""
        since = self._now() - longer_than_seconds
        return [partition for partition, each in self._standings.items() if each.messages and each.excused_at < since]

    def seconds_without(self) -> float:
        """Return for how long the slowest partition has made no progress, whatever the reason; 0 when nothing waits."""
        return max((self._now() - each.progress_at for each in self._standings.values() if each.messages), default=0.0)

    def seconds_stuck(self) -> float:
        """Return for how long the slowest partition has made no progress without a known reason."""
        slowest = self.slowest()
        return 0.0 if slowest is None else self._now() - self._standings[slowest].excused_at

    def slowest(self) -> Partition | None:
        """Return the waiting partition without progress and reason for the longest time; None when nothing waits."""
        waiting = [partition for partition, each in self._standings.items() if each.messages]
        return min(waiting, key=lambda partition: self._standings[partition].excused_at, default=None)

    def waiting(self, partition: Partition) -> int:
        """Count the messages that waited in a partition at the last look."""
        return self._standings[partition].messages


def judge_liveness(*, progress: Progress, stall_timeout_seconds: float) -> Health:
    """Return whether a worker is alive: no partition has been stuck for longer than the timeout."""
    slowest, seconds = progress.slowest(), progress.seconds_stuck()
    if slowest is None:
        return Health(ok=True, detail="nothing waits")
    if seconds < stall_timeout_seconds <= progress.seconds_without():
        return Health(ok=True, detail="waiting for a known reason, see /readyz and the log")
    if seconds < stall_timeout_seconds:
        return Health(ok=True, detail=f"working, last progress {seconds:.0f} s ago")
    return Health(
        ok=False,
        detail=f"{progress.waiting(slowest)} messages wait in partition {slowest[1]}, and nothing of it was committed "
        f"for {seconds:.0f} s: stuck",
    )


def judge_readiness(
    *,
    stopping: bool,
    fault: str | None,
    joined: bool,
    status: StepStatus,
    complaint: str | None = None,
    note: str | None = None,
) -> Health:
    """Return whether a worker is ready. `complaint` is why some events wait until an operator acts.

    `note` is added to the answer of a worker that is ready.
    """
    if fault is not None:
        return Health(ok=False, detail=fault)
    if stopping:
        return Health(ok=False, detail="stopping")
    if not joined:
        return Health(ok=False, detail="joining the consumer group")
    if complaint is not None or status.hold_reason is not None:
        return Health(ok=False, detail=_joined(complaint or "", status.hold_reason or ""))
    detail = "retrying" if status.retrying else "ready"
    return Health(ok=True, detail=detail if note is None else f"{detail}; {note}")


def _joined(complaint: str, hold_reason: str) -> str:
    """Return both, or only the complaint when it is the reason of the hold."""
    return complaint if hold_reason in complaint else "; ".join(filter(None, (complaint, hold_reason)))
