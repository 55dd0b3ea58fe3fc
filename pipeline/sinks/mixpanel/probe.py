"""The marked event of `mixpanel check`, and where to look for it."""

from __future__ import annotations

import json
from typing import Final

EVENT_NAME: Final = "OneSignal Pipeline Check"
DISTINCT_ID: Final = "onesignal-pipeline-check"
"""Always the same, so that all checks of a month cost at most one monthly tracked user."""


def marked_event(insert_id: str, now: float) -> bytes:
    """Return a record that stands for no user. ``now`` is in seconds since the epoch."""
    event = {
        "event": EVENT_NAME,
        "properties": {
            "distinct_id": DISTINCT_ID,
            "$user_id": DISTINCT_ID,
            "$insert_id": insert_id,
            "time": int(now * 1000),
            "$source": "onesignal",
            "ip": 0,
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()


def where_to_look(insert_id: str) -> tuple[str, ...]:
    """Return where the event can be seen, and how to hide it."""
    return (
        f"Mixpanel imported 1 event: look in the project under Events for {EVENT_NAME!r}, $insert_id {insert_id}",
        "it may take a minute to appear; to hide it from reports, hide the event in Lexicon",
        "not there? Then the token or the service account belongs to another project",
    )
