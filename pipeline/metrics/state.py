"""The size of the processor's state, read at each scrape.

The numbers can be summed over the workers of a destination, because each user is in one partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import CollectorRegistry

_PREFIX = "onesignal_pipeline_"
TRACKED_USERS = (
    f"{_PREFIX}tracked_users",
    "Users of this worker's partitions whom the destination bills this month so far; absent without tracked users.",
)
WOULD_ADD = (
    f"{_PREFIX}users_delivery_would_add_so_far",
    "Estimate of users whom dropped delivery events would have added this month; absent without tracked users.",
)
SHADOW_USERS = (
    f"{_PREFIX}rule_shadow_users",
    "Estimate of the users whose events a shadow rule would have decided this billing month so far.",
)
CATALOGUE = (f"{_PREFIX}message_catalogue_messages", "Messages whose contents the message catalogue holds.")


class Remembered(Protocol):
    """The state of a processor. ``tracks`` is whether users are tracked."""

    tracks: bool

    def tracked_users(self) -> int:
        """Return the number of users tracked this month."""

    def users_delivery_would_add(self) -> float:
        """Return an estimate of the users that dropped delivery events would have added this month."""

    def shadow_users(self) -> Mapping[str, float]:
        """Return estimates of this month's users by shadow rule."""

    def catalogue_size(self) -> int:
        """Return the number of messages in the catalogue."""


class StateMetrics:
    """Shows the size of the state, read at each scrape."""

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        self._destination = destination
        self._remembered: Remembered | None = None
        registry.register(self)

    def watch(self, remembered: Remembered) -> None:
        """Show this state from now on."""
        self._remembered = remembered

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the present numbers; 0 until there is a state."""
        remembered = self._remembered
        if remembered is None or remembered.tracks:
            yield self._gauge(TRACKED_USERS, remembered.tracked_users() if remembered else 0)
            yield self._gauge(WOULD_ADD, remembered.users_delivery_would_add() if remembered else 0)
        yield self._gauge(CATALOGUE, remembered.catalogue_size() if remembered else 0)
        shadows = GaugeMetricFamily(*SHADOW_USERS, labels=("destination", "rule"))
        for rule, users in (remembered.shadow_users() if remembered else {}).items():
            shadows.add_metric((self._destination, rule), users)
        yield shadows

    def _gauge(self, metric: tuple[str, str], value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(*metric, labels=("destination",))
        family.add_metric((self._destination,), value)
        return family
