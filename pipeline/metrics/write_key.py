"""Whether the file of the write key can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class WriteKeyMetrics:
    """Shows whether the write key is still read from its file."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._failing = Gauge(
            "onesignal_pipeline_segment_write_key_reload_failing",
            "1 while the file of the write key cannot be used or does not answer; the key from before stays.",
            registry=registry,
        )

    def judged(self, *, usable: bool) -> None:
        """Set whether the last look found a key that can be used."""
        self._failing.set(not usable)
