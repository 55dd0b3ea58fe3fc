"""How long messages have waited: by the oldest that is not settled, where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.kafka.fetched.messages import NO_TIMESTAMP
from pipeline.metrics.lag import PartitionLag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Waiting(NamedTuple):
    """What waits of one partition. `oldest_ms` is Kafka's timestamp of the oldest message in hand; None without one."""

    partition: int
    messages: int
    oldest_ms: int | None


class LagClock:
    """Turns what waits into seconds.

    Where no message is in hand, or Kafka gave it no timestamp, it counts from when something began to wait: that is
    the least that it can have been.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        """Take a clock in seconds since the epoch."""
        self._now = now
        self._nothing_waited_at: dict[int, float] = {}

    def look(self, waiting: Iterable[Waiting]) -> list[PartitionLag]:
        """Judge every assigned partition; those that are not named are forgotten."""
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
