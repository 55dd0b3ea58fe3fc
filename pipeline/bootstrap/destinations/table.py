"""The table of destinations. A further destination adds its row here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.bootstrap.destinations.mixpanel import MIXPANEL
from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.core.classification import Destination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.settings.sections import Settings

DESTINATIONS: Final[Mapping[Destination, DestinationRow]] = {
    Destination.SEGMENT: SEGMENT,
    Destination.MIXPANEL: MIXPANEL,
}
"""In the order in which `worker all` starts them and in which texts name them."""


def in_use(settings: Settings) -> tuple[DestinationRow, ...]:
    """Return the destinations for which anything is set; the first where nothing is."""
    sections = settings.destinations_in_use
    return tuple(row for row in DESTINATIONS.values() if row.section(settings) in sections)


def with_credentials(settings: Settings) -> tuple[DestinationRow, ...]:
    """Return the destinations whose credentials are set."""
    return tuple(row for row in DESTINATIONS.values() if row.section(settings).has_credentials)
