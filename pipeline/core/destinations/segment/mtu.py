"""Segment's MTU rules, and those that its records state in ``context.onesignal.mtu``."""

from __future__ import annotations

from typing import Final

from pipeline.core.classification import Destination, MtuRules
from pipeline.core.destinations.mixpanel.mtu import MIXPANEL_MTU

SEGMENT_MTU: Final = MtuRules(destination=Destination.SEGMENT, version="segment-1")
"""Segment exempts no messaging event: every call with a new userId or anonymousId counts
(schemas/SOURCES.md, "Segment tracked users")."""

STATED_MTU_RULES: Final = (SEGMENT_MTU, MIXPANEL_MTU)
"""Segment can forward a record to Mixpanel, so a record states whether it counts there too."""
