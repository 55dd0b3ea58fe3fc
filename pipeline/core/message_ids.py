"""The id that Segment removes duplicates by: the same for the same message, always."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from pipeline.core.identity import DISALLOWED_IDS, NIL_UUID

MAX_MESSAGE_ID_LENGTH: Final = 100
"""Segment's limit, in characters (domain.md 2.2)."""

_LONGEST_WORD: Final = 9  # of the disallowed ones, "undefined"; the nil UUID apart

_NAMESPACE: Final = UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")
"""The UUIDv5 namespace of message contents. It never changes: the ids would."""


def message_id_of(event_id: str | None, value: bytes) -> str:
    """Return OneSignal's event id where it is fit for Segment, else the UUIDv5 of the message's bytes.

    Never the id of the campaign message, which all its recipients share (domain.md 0.3). Fit is: up to 100 visible
    ASCII characters, and not one of the words that stand for no id.
    """
    if (
        event_id
        and len(event_id) <= MAX_MESSAGE_ID_LENGTH
        and event_id.isascii()
        and event_id.isprintable()
        and " " not in event_id
        and (len(event_id) > _LONGEST_WORD or event_id.lower() not in DISALLOWED_IDS)
        and event_id != NIL_UUID
    ):
        return event_id
    digest = hashlib.sha1(_NAMESPACE.bytes + value, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))
