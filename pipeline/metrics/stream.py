"""What every worker counts and shows: lag, commits, rebalances, progress, holds, dead letters, limits."""

from __future__ import annotations

import platform
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from pipeline.core.hold_reasons import HoldReason
from pipeline.metrics.clock import ClockCollector
from pipeline.metrics.lag import LagCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from enum import StrEnum

    from prometheus_client import CollectorRegistry

    from pipeline.metrics.lag import PartitionHidden, PartitionLag

PREFIX = "onesignal_pipeline"


class StreamMetrics:
    """Counts what every worker does, and shows the status of its consumer, read at each scrape.

    ``destination`` is empty for a worker that has none. Only `build_info` carries it: queries join the others with it.
    """

    def __init__(self, registry: CollectorRegistry, *, destination: str = "") -> None:
        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"{PREFIX}_{name}_total", text, labels, registry=registry)

        self._destination = destination
        self._build = gauge(
            "build_info",
            "1, with the role, destination and version of this worker.",
            ("role", "destination", "version", "python"),
        )
        self._commits = counter("commits", "Offset commits confirmed by the broker.")
        self._failed_commits = counter(
            "commits_failed", "Offset commits that were not confirmed; a later commit includes their offsets."
        )
        self._rebalances = counter("rebalances", "Partition assignments that this worker received.")
        self._write_retries = counter("write_retries", "Retried writes to Kafka.")
        self._batch_limit = gauge(
            "write_batch_limit_bytes",
            "Most bytes of a batch for a topic before compression: 512 KB, or less after Kafka refused a larger one.",
            ("topic",),
        )
        self._dead_letters = counter(
            "dead_letters",
            "Dead letters stored and confirmed by the broker. One stored again after a redelivery counts again.",
            ("stage", "reason"),
        )
        self._lag = LagCollector(registry)
        self._retention = gauge(
            "source_retention_seconds",
            "Retention of the topic that this worker reads, as reported by the cluster, else as set.",
        )
        self._clock = ClockCollector(registry)
        self._partitions = gauge("assigned_partitions", "Partitions assigned to this worker.")
        self._in_hand = gauge("messages_in_hand", "Messages fetched and not yet settled, or behind one that is not.")
        self._full_partitions = gauge(
            "full_partitions",
            "Partitions that are not fetched because their unsettled messages reached the limit in number or bytes.",
        )
        self._memory_limit = gauge(
            "memory_limit_bytes",
            "Memory that this process may use: the limit of its container, else that of the machine.",
        )
        self._progress = gauge(
            "seconds_since_progress", "Seconds since the slowest partition with waiting messages made progress."
        )
        self._stuck = gauge(
            "stuck_seconds",
            "Like seconds_since_progress, of the partitions that have no known reason to wait.",
        )
        self._ready = gauge("ready", "1 while /readyz reports ready.")
        self._retrying = gauge(
            "retrying",
            "1 while a request or write that the destination or Kafka did not accept waits for its next attempt.",
        )
        self._holding = gauge(
            "holding", "1 while this worker holds for that reason and needs an operator.", ("reason",)
        )
        for reason in HoldReason:
            self._holding.labels(reason.value)

    def built(self, *, role: str, version: str) -> None:
        """Show the role and version of this worker."""
        self._build.labels(role, self._destination, version, platform.python_version()).set(1)

    def bounds(self, *, memory_bytes: float) -> None:
        """Show how much memory may be used."""
        self._memory_limit.set(memory_bytes)

    def retention(self, seconds: float) -> None:
        """Show the retention of the topic that is read."""
        self._retention.set(seconds)

    def clock(self, difference: Callable[[], float | None]) -> None:
        """Show how many seconds this machine's clock is ahead of the brokers', read at each scrape; None is unknown."""
        self._clock.ask = difference

    def committed(self) -> None:
        """Count a confirmed commit."""
        self._commits.inc()

    def commit_failed(self) -> None:
        """Count a commit that was not confirmed."""
        self._failed_commits.inc()

    def rebalanced(self) -> None:
        """Count a partition assignment."""
        self._rebalances.inc()

    def write_retried(self) -> None:
        """Count a retried write."""
        self._write_retries.inc()

    def batches_limited(self, topic: str, limit_bytes: int) -> None:
        """Show the size limit of batches for a topic from now on."""
        self._batch_limit.labels(topic).set(limit_bytes)

    def dead_letters_stored(self, stage: str, reason: StrEnum, letters: int) -> None:
        """Count dead letters confirmed by the broker."""
        self._dead_letters.labels(stage, reason.value).inc(letters)

    def watch(
        self,
        *,
        lag: Callable[[], Sequence[PartitionLag]],
        hidden: Callable[[], Sequence[PartitionHidden]],
        partitions: Callable[[], float],
        in_hand: Callable[[], float],
        full_partitions: Callable[[], float],
        seconds_since_progress: Callable[[], float],
        stuck_seconds: Callable[[], float],
        ready: Callable[[], float],
        retrying: Callable[[], float],
        holds: Callable[[], Collection[HoldReason]],
    ) -> None:
        """Show these values, read at each scrape."""
        self._lag.ask, self._lag.ask_hidden = lag, hidden
        for gauge, value in (
            (self._partitions, partitions),
            (self._in_hand, in_hand),
            (self._full_partitions, full_partitions),
            (self._progress, seconds_since_progress),
            (self._stuck, stuck_seconds),
            (self._ready, ready),
            (self._retrying, retrying),
        ):
            gauge.set_function(value)
        for reason in HoldReason:
            self._holding.labels(reason.value).set_function(partial(_holds_for, reason, holds))


def _holds_for(reason: HoldReason, holds: Callable[[], Collection[HoldReason]]) -> float:
    return float(reason in holds())
