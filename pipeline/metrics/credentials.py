"""Whether the file that holds a destination's credentials can be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class CredentialsMetrics:
    """Shows whether the last read of the credentials file succeeded."""

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        self._failing = Gauge(
            "onesignal_pipeline_sink_credentials_reload_failing",
            "1 while the file with the destination's credentials is unusable or cannot be read; the previous "
            "credentials stay in use.",
            ["destination"],
            registry=registry,
        ).labels(destination)

    def judged(self, *, usable: bool) -> None:
        """Set whether the last read found credentials that can be used."""
        self._failing.set(not usable)
