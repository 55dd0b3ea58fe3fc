"""What is remembered, shown when it is scraped. All numbers add up over workers, for a user is in one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import CollectorRegistry

_PREFIX = "onesignal_pipeline_"
TRACKED_USERS = (
    f"{_PREFIX}tracked_users",
    "Users of this worker's partitions whom Segment counts this billing month so far; absent where none is tracked.",
)
WOULD_ADD = (
    f"{_PREFIX}users_delivery_would_add_so_far",
    "Estimate of users whom dropped delivery events would have added this billing month; absent where none is tracked.",
)
SHADOW_USERS = (
    f"{_PREFIX}rule_shadow_users",
    "Estimate of the users of whom a shadow rule would have decided events this billing month so far.",
)
CATALOGUE = (f"{_PREFIX}message_catalogue_messages", "Messages of which the catalogue knows what they said.")


class Remembered(Protocol):
    """What can be asked of the memories. ``tracks`` tells whether users are tracked."""

    tracks: bool

    def tracked_users(self) -> int:
        """Count the users that are tracked this month."""

    def users_delivery_would_add(self) -> float:
        """Estimate the users whom dropped delivery events would have added this month."""

    def shadow_users(self) -> Mapping[str, float]:
        """Estimate this month's users by shadow rule."""

    def catalogue_size(self) -> int:
        """Count the messages in the catalogue."""


class MemoryMetrics:
    """Asks the memories at each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._remembered: Remembered | None = None
        registry.register(self)

    def watch(self, remembered: Remembered) -> None:
        """Show these memories from now on."""
        self._remembered = remembered

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the values of now."""
        remembered = self._remembered
        if remembered is None or remembered.tracks:
            yield GaugeMetricFamily(*TRACKED_USERS, value=remembered.tracked_users() if remembered else 0)
            yield GaugeMetricFamily(*WOULD_ADD, value=remembered.users_delivery_would_add() if remembered else 0)
        yield GaugeMetricFamily(*CATALOGUE, value=remembered.catalogue_size() if remembered else 0)
        shadows = GaugeMetricFamily(*SHADOW_USERS, labels=["rule"])
        for rule, users in (remembered.shadow_users() if remembered else {}).items():
            shadows.add_metric([rule], users)
        yield shadows
