"""What a worker tells of Kafka: lag, commits, rebalances, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

PREFIX = "onesignal_pipeline"


class StreamMetrics:
    """Counts commits and write retries, and shows what the consumer knows when it is scraped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._commits = Counter(f"{PREFIX}_commits_total", "Commits that the broker has confirmed.", registry=registry)
        self._write_retries = Counter(
            f"{PREFIX}_write_retries_total", "Writes to Kafka that were repeated.", registry=registry
        )

        self._schemas_away = Gauge(
            f"{PREFIX}_schemas_away", "1 while messages wait for a schema that cannot be looked up.", registry=registry
        )

        self._memories_away = Gauge(
            f"{PREFIX}_memories_away",
            "1 while messages wait for what is remembered of their partition, and it cannot be read back.",
            registry=registry,
        )

    def schemas_away(self, away: bool) -> None:  # noqa: FBT001 -- one fact
        """Tell whether messages wait for the schema registry."""
        self._schemas_away.set(away)

    def memories_away(self, away: bool) -> None:  # noqa: FBT001 -- one fact
        """Tell whether messages wait for what is remembered of their partition."""
        self._memories_away.set(away)

    def committed(self) -> None:
        """Count a confirmed commit."""
        self._commits.inc()

    def write_retried(self) -> None:
        """Count a write that is repeated."""
        self._write_retries.inc()

    def watch(
        self,
        *,
        lag: Callable[[], float],
        partitions: Callable[[], float],
        in_hand: Callable[[], float],
        seconds_since_progress: Callable[[], float],
        ready: Callable[[], float],
    ) -> None:
        """Show values that are read at each scrape."""
        for name, text, value in (
            ("consumer_lag_messages", "Messages of the assigned partitions that are not committed.", lag),
            ("assigned_partitions", "Partitions assigned to this worker.", partitions),
            ("messages_in_hand", "Messages fetched and not settled in order.", in_hand),
            (
                "seconds_since_progress",
                "Seconds since a commit, or since there was nothing to do.",
                seconds_since_progress,
            ),
            ("ready", "1 when /readyz says ready.", ready),
        ):
            Gauge(f"{PREFIX}_{name}", text, registry=self._registry).set_function(value)
