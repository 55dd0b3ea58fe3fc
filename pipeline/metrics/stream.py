"""What a worker tells of Kafka and of itself: lag, commits, rebalances, progress, holds, dead letters, bounds."""

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
    """Counts what every worker does, and shows what its consumer knows when it is scraped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"{PREFIX}_{name}_total", text, labels, registry=registry)

        self._build = gauge("build_info", "1 for the program that runs.", ("role", "version", "python"))
        self._commits = counter("commits", "Commits that the broker has confirmed.")
        self._failed_commits = counter(
            "commits_failed", "Commits that were not confirmed; what they held is tried again."
        )
        self._rebalances = counter("rebalances", "Assignments of partitions that this worker has taken up.")
        self._write_retries = counter("write_retries", "Writes to Kafka that were repeated.")
        self._batch_limit = gauge(
            "write_batch_limit_bytes",
            "Bytes that a batch for a topic may have before compression: 512 KB, or less since Kafka refused more.",
            ("topic",),
        )
        self._dead_letters = counter(
            "dead_letters",
            "Dead letters stored, confirmed by the broker; one that is stored again after a redelivery counts again.",
            ("stage", "reason"),
        )
        self._lag = LagCollector(registry)
        self._retention = gauge(
            "source_retention_seconds",
            "How long the topic that is read keeps a message, as the cluster tells it, else as the settings want it.",
        )
        self._clock = ClockCollector(registry)
        self._partitions = gauge("assigned_partitions", "Partitions assigned to this worker.")
        self._in_hand = gauge("messages_in_hand", "Messages fetched and not settled in order.")
        self._full_partitions = gauge(
            "full_partitions",
            "Partitions of which nothing more is fetched: as much as may be, in messages or in bytes, is unsettled.",
        )
        self._memory_limit = gauge("memory_limit_bytes", "Memory that this process may use: its container's, else all.")
        self._progress = gauge(
            "seconds_since_progress", "Seconds since the slowest partition got on, of those where messages wait."
        )
        self._stuck = gauge(
            "stuck_seconds",
            "Seconds since the slowest partition got on, of those where messages wait and no reason is known.",
        )
        self._ready = gauge("ready", "1 when /readyz says ready.")
        self._retrying = gauge(
            "retrying", "1 while something that Segment or Kafka did not take waits to be sent again."
        )
        self._holding = gauge(
            "holding", "1 while this worker holds for that reason and needs somebody to look.", ("reason",)
        )
        for reason in HoldReason:
            self._holding.labels(reason.value)

    def built(self, *, role: str, version: str) -> None:
        """Tell what runs."""
        self._build.labels(role, version, platform.python_version()).set(1)

    def bounds(self, *, memory_bytes: float) -> None:
        """Tell how much memory may be used."""
        self._memory_limit.set(memory_bytes)

    def retention(self, seconds: float) -> None:
        """Tell how long the topic that is read keeps a message."""
        self._retention.set(seconds)

    def clock(self, difference: Callable[[], float | None]) -> None:
        """Show at each scrape how far this machine's clock is ahead of the brokers', in seconds; None is unknown."""
        self._clock.ask = difference

    def committed(self) -> None:
        """Count a confirmed commit."""
        self._commits.inc()

    def commit_failed(self) -> None:
        """Count a commit that was not confirmed."""
        self._failed_commits.inc()

    def rebalanced(self) -> None:
        """Count an assignment that was taken up."""
        self._rebalances.inc()

    def write_retried(self) -> None:
        """Count a write that is repeated."""
        self._write_retries.inc()

    def batches_limited(self, topic: str, limit_bytes: int) -> None:
        """Show the size of the batches that a topic is written in from now on."""
        self._batch_limit.labels(topic).set(limit_bytes)

    def dead_letters_stored(self, stage: StrEnum, reason: StrEnum, letters: int) -> None:
        """Count dead letters that the broker has confirmed."""
        self._dead_letters.labels(stage.value, reason.value).inc(letters)

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
        """Show values that are read at each scrape."""
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
