"""How a user is named in Mixpanel (schemas/SOURCES.md, "Mixpanel identity")."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DEVICE_PREFIX: Final = "$device:"
"""Marks a ``distinct_id`` as that of a device. Without it Mixpanel takes the id for a user's."""


class AnonymousId(StrEnum):
    """The ``distinct_id`` of an event without an external id.

    ``device``: ``$device:`` and the subscription id, as projects with Simplified ID Merge expect. ``subscription``: the
    bare subscription id, for projects with Original ID Merge whose ``$onesignal_user_id`` holds it.
    """

    DEVICE = "device"
    SUBSCRIPTION = "subscription"
