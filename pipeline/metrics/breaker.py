"""How near the breaker is to holding; that it does is `onesignal_pipeline_holding{reason="breaker"}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from pipeline.core.breaker import Breaker

_PREFIX = "onesignal_pipeline_breaker"


class BreakerMetrics:
    """Shows the share of dead letters in a breaker's window, and the share from which on it holds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._share = Gauge(
            f"{_PREFIX}_share_ratio", "Share of dead letters among the last messages of this worker.", registry=registry
        )
        self._limit = Gauge(
            f"{_PREFIX}_limit_ratio", "Share of dead letters above which this worker holds.", registry=registry
        )

    def watch(self, breaker: Breaker) -> None:
        """Show what a breaker knows when it is scraped."""
        self._share.set_function(lambda: breaker.share)
        self._limit.set(breaker.limits.max_share)
