"""The id by which a destination removes duplicates: always the same for the same message."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from pipeline.core.ids import EMPTY_IDS

_NAMESPACE: Final = UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")
"""The UUIDv5 namespace of message contents. It never changes, because all ids would change with it."""

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last


def content_id(value: bytes) -> str:
    """Return the UUIDv5 of a message's bytes."""
    digest = hashlib.sha1(_NAMESPACE.bytes + value, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


def message_id_of(event_id: str | None, value: bytes, max_characters: int) -> str:
    """Return OneSignal's event id where it is valid, else the id of its content.

    It is never the id of the campaign message, which all its recipients share
    (schemas/SOURCES.md, "OneSignal event ids"). An id is valid when it is no placeholder and has at most
    ``max_characters``, all visible ASCII; white space around it is removed.
    """
    if not event_id:
        return content_id(value)
    if (
        len(event_id) <= max_characters
        and event_id.isascii()
        and event_id.isprintable()
        and " " not in event_id
        and (event_id[0] in _FIRST or event_id[-1] in _LAST or EMPTY_IDS.reason(event_id) is None)
    ):
        return event_id
    bare = event_id.strip()
    return message_id_of(None if bare == event_id else bare, value, max_characters)
