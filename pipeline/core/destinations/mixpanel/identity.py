"""How a user is named in Mixpanel."""

from __future__ import annotations

from enum import StrEnum


class AnonymousId(StrEnum):
    """The ``distinct_id`` of an event without an external id.

    ``device``: ``$device:`` and the subscription id, as projects with Simplified ID Merge expect. ``subscription``: the
    bare subscription id, for projects with Original ID Merge whose ``$onesignal_user_id`` holds it.
    """

    DEVICE = "device"
    SUBSCRIPTION = "subscription"
