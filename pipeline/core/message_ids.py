"""The id that Segment removes duplicates by: the same for the same message, always."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from pipeline.core.ids import EMPTY_IDS

MAX_MESSAGE_ID_LENGTH: Final = 100
"""Segment's limit, in characters (domain.md 2.2)."""

_NAMESPACE: Final = UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")
"""The UUIDv5 namespace of message contents. It never changes: the ids would."""

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last


def message_id_of(event_id: str | None, value: bytes) -> str:
    """Return OneSignal's event id where it is fit for Segment, else the UUIDv5 of the message's bytes.

    Never the id of the campaign message, which all its recipients share (domain.md 0.3). An id is fit when it names
    something and has up to 100 visible ASCII characters; white space around it is removed.
    """
    if not event_id:
        digest = hashlib.sha1(_NAMESPACE.bytes + value, usedforsecurity=False).digest()
        return str(UUID(bytes=digest[:16], version=5))
    if (
        len(event_id) <= MAX_MESSAGE_ID_LENGTH
        and event_id.isascii()
        and event_id.isprintable()
        and " " not in event_id
        and (event_id[0] in _FIRST or event_id[-1] in _LAST or EMPTY_IDS.reason(event_id) is None)
    ):
        return event_id
    bare = event_id.strip()
    return message_id_of(None if bare == event_id else bare, value)
