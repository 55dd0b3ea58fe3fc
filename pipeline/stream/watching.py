"""Watch the partitions of a worker: their progress, their lag, and what an open transaction hides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.runtime.errors import WorkerError
from pipeline.runtime.health import Progress
from pipeline.stream.hidden import HiddenClock
from pipeline.stream.lag import LagClock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Partition
    from pipeline.metrics.lag import PartitionHidden, PartitionLag
    from pipeline.stream.app import App
    from pipeline.stream.step import Step
    from pipeline.stream.transport import BatchConsumer

WATCH_SECONDS = 1.0
BROKER_ANSWER_SECONDS = 5.0
ASK_SECONDS = 60.0
"""Kafka is asked about a partition that has made no progress for this long, or for half the stall timeout."""
ENDS_SECONDS = 30.0
"""How often the ends of partitions are requested, in case fetches report them no more."""


class Watching:
    """Looks at every assigned partition once a second."""

    def __init__(self, *, stall_timeout_seconds: float) -> None:
        self.progress = Progress(now=time.monotonic)
        self._stall_timeout_seconds = stall_timeout_seconds
        self._lag = LagClock(now=time.time)
        self._hidden = HiddenClock(now=time.monotonic)

    async def run(self, app: App, step: Step) -> None:
        """Watch until cancelled.

        Raises:
            WorkerError: Faust has stopped. If it crashed, its own error is raised instead.
        """
        consumer = app.batch_consumer
        next_look_at_ends = time.monotonic() + ENDS_SECONDS
        while True:
            await app.sleep(WATCH_SECONDS)
            if app.crashed or app.should_stop:
                raise app.crash_reason or WorkerError("Faust stopped by itself")
            self._lag.look(consumer.waiting())
            self._hidden.look(consumer.log_ends())
            undone = consumer.undone()
            self.progress.look(undone, on_purpose(undone, consumer, step))
            stuck = self.progress.stuck(longer_than_seconds=min(self._stall_timeout_seconds / 2, ASK_SECONDS))
            if stuck:
                self.progress.excuse(await consumer.without_answer(stuck, BROKER_ANSWER_SECONDS))
            if time.monotonic() >= next_look_at_ends:
                await consumer.look_at_ends(BROKER_ANSWER_SECONDS)
                next_look_at_ends = time.monotonic() + ENDS_SECONDS

    def lag(self, consumer: BatchConsumer) -> Sequence[PartitionLag]:
        """Return how many messages of each partition wait, and for how long."""
        return self._lag.look(consumer.waiting())

    def hidden(self, consumer: BatchConsumer) -> Sequence[PartitionHidden]:
        """Return how many messages of each partition are hidden by an open transaction, and for how long."""
        return self._hidden.look(consumer.log_ends())

    def note(self, consumer: BatchConsumer) -> str | None:
        """Return which partitions have waited long for a transaction to end; None when none has."""
        return self._hidden.note(consumer.log_ends())


def on_purpose(undone: Collection[Partition], consumer: BatchConsumer, step: Step) -> Collection[Partition]:
    """Return the partitions that make no progress for a known reason."""
    return {
        *step.status().on_purpose,
        *consumer.uncommitted(),
        *consumer.unreadable.on_purpose,
        *(partition for partition in undone if not consumer.is_known(partition)),
    }
