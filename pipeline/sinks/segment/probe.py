"""The marked event of `segment check`, and where to look for it."""

from __future__ import annotations

import json
from typing import Final

from pipeline.sinks.segment.body import timestamp

EVENT_NAME: Final = "OneSignal Pipeline Check"
USER_ID: Final = "onesignal-pipeline-check"
"""Always the same, so that all checks of a month cost at most one monthly tracked user."""


def marked_event(message_id: str, now: float) -> bytes:
    """Return a record that Segment forwards to no destination. ``now`` is in seconds since the epoch."""
    event = {
        "type": "track",
        "event": EVENT_NAME,
        "messageId": message_id,
        "userId": USER_ID,
        "timestamp": timestamp(now),
        "properties": {},
        "context": {"integration": {"name": "onesignal-pipeline"}},
        "integrations": {"All": False},
    }
    return json.dumps(event, separators=(",", ":")).encode()


def where_to_look(message_id: str) -> tuple[str, ...]:
    """Return how to find out whether Segment kept the event, which its answer does not tell."""
    there = f"Connections > Sources > your source > Debugger, event {EVENT_NAME!r}, messageId {message_id}"
    silent = "Segment answers 200 to an unknown key, and discards the event"
    return (
        f"now look in Segment: {there}",
        f"no event there within a minute: the key does not belong to a source of that region ({silent})",
    )
