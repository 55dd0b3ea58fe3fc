"""How long messages have waited: by the age of the oldest unsettled one, if it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.kafka.fetched.messages import NO_TIMESTAMP
from pipeline.metrics.lag import PartitionLag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Waiting(NamedTuple):
    """The messages of one partition that wait. `oldest_ms` is Kafka's timestamp of the oldest one in hand, if any."""

    partition: int
    messages: int
    oldest_ms: int | None


class LagClock:
    """Turns waiting messages into seconds.

    If no message is in hand, or it has no timestamp, the time counts from when something started to wait. That is a
    lower bound.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        """`now` is a clock in seconds since the epoch."""
        self._now = now
        self._nothing_waited_at: dict[int, float] = {}

    def look(self, waiting: Iterable[Waiting]) -> list[PartitionLag]:
        """Return the lag of all assigned partitions. Others are forgotten."""
        now, before = self._now(), self._nothing_waited_at
        self._nothing_waited_at = {}
        lags = []
        for partition, messages, oldest_ms in waiting:
            since = before.get(partition, now) if messages else now
            self._nothing_waited_at[partition] = since
            if messages and oldest_ms is not None and oldest_ms != NO_TIMESTAMP:
                since = oldest_ms / 1000
            lags.append(PartitionLag(partition=partition, messages=messages, seconds=max(0.0, now - since)))
        return lags
