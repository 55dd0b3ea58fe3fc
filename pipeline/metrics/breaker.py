"""How near the breaker is to holding. Whether it holds is `onesignal_pipeline_holding{reason="breaker"}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from pipeline.core.breaker import Breaker

_PREFIX = "onesignal_pipeline_breaker"


class BreakerMetrics:
    """Shows the share of dead letters in a breaker's window, and the share above which it holds."""

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        self._share = Gauge(
            f"{_PREFIX}_share_ratio",
            "Share of dead letters among the last messages of this worker.",
            ["destination"],
            registry=registry,
        ).labels(destination)
        self._limit = Gauge(
            f"{_PREFIX}_limit_ratio",
            "Share of dead letters above which this worker holds.",
            ["destination"],
            registry=registry,
        ).labels(destination)

    def watch(self, breaker: Breaker) -> None:
        """Show a breaker's share, read at each scrape, and its limit."""
        self._share.set_function(lambda: breaker.share)
        self._limit.set(breaker.limits.max_share)
