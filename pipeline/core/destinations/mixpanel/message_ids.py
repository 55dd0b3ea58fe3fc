"""The ``$insert_id`` by which Mixpanel removes duplicates: always the same for the same message.

Source: schemas/SOURCES.md, "Mixpanel deduplication".
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from pipeline.core.destinations.mixpanel.limits import is_spelled_as_insert_id as is_spelled
from pipeline.core.ids import EMPTY_IDS
from pipeline.core.message_ids import content_id, uuid_of

_NAMESPACE: Final = UUID("8e0c7a0e-5d0a-5c3b-9b1f-6f1f4c2f7b53")
"""The UUIDv5 namespace of event ids that are no insert ids. It never changes, because all ids would change with it."""

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last


def message_id_of(event_id: str | None, value: bytes) -> str:
    """Return OneSignal's event id where Mixpanel accepts it, else a UUIDv5 of it.

    A message without an event id has the UUIDv5 of its content. A placeholder is no id, and white space around an id is
    removed. It is never the id of the campaign message, which all its recipients share
    (schemas/SOURCES.md, "OneSignal event ids").
    """
    if not event_id:
        return content_id(value)
    if event_id[0] in _FIRST or event_id[-1] in _LAST or EMPTY_IDS.reason(event_id) is None:
        # Every disallowed id is a placeholder, so only the spelling is left to check.
        if is_spelled(event_id):
            return event_id
        bare = event_id.strip()
        return bare if is_spelled(bare) else uuid_of(_NAMESPACE, bare.encode())
    return content_id(value)
