"""The id by which Segment removes duplicates: always the same for the same message."""

from __future__ import annotations

from typing import Final

from pipeline.core.destinations.segment.limits import MAX_MESSAGE_ID_CHARACTERS
from pipeline.core.ids import EMPTY_IDS
from pipeline.core.message_ids import content_id

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last


def message_id_of(event_id: str | None, value: bytes) -> str:
    """Return OneSignal's event id where it is valid, else the id of its content.

    It is never the id of the campaign message, which all its recipients share
    (schemas/SOURCES.md, "OneSignal event ids"). An id is valid when it is no placeholder and has at most 100
    characters, all visible ASCII; white space around it is removed.
    """
    if not event_id:
        return content_id(value)
    if (
        len(event_id) <= MAX_MESSAGE_ID_CHARACTERS
        and event_id.isascii()
        and event_id.isprintable()
        and " " not in event_id
        and (event_id[0] in _FIRST or event_id[-1] in _LAST or EMPTY_IDS.reason(event_id) is None)
    ):
        return event_id
    bare = event_id.strip()
    return message_id_of(None if bare == event_id else bare, value)
