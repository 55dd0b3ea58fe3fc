"""Which events make a Mixpanel user a monthly tracked user.

Mixpanel exempts by exact event name. Its pages contradict each other about two names, so both readings are here.
Source: schemas/SOURCES.md, "Mixpanel tracked users".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination, MtuRules
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping


class MtuReading(StrEnum):
    """How Mixpanel's pages are read. ``prose``: opens and clicks count. ``list``: they are exempt too."""

    PROSE = "prose"
    LIST = "list"


_EXEMPT: Final = frozenset(
    {
        "$campaign_delivery",
        "$campaign_received",
        "$campaign_bounced",
        "$campaign_marked_spam",
        "$message_suppressed",
        "$unsubscribe",
    },
)

MIXPANEL_MTU: Final = MtuRules(
    destination=Destination.MIXPANEL,
    version="mixpanel-2023-03-prose",
    names=dict(MIXPANEL_NAMES),
    exempt_names=_EXEMPT,
)
"""Delivery is exempt, engagement counts: the prose of the page, and the cautious reading."""

MIXPANEL_MTU_BY_LIST: Final = MtuRules(
    destination=Destination.MIXPANEL,
    version="mixpanel-2026-08-list",
    names=dict(MIXPANEL_NAMES),
    exempt_names=_EXEMPT | {"$app_open", "$campaign_open"},
)
"""The list on the newer version of the page, in which opens and clicks are exempt too."""

MTU_RULES: Final[Mapping[MtuReading, MtuRules]] = {
    MtuReading.PROSE: MIXPANEL_MTU,
    MtuReading.LIST: MIXPANEL_MTU_BY_LIST,
}
