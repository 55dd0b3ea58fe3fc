"""Segment's limits for one record."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE_ID_CHARACTERS: Final = 100
"""The longest messageId (schemas/SOURCES.md, "Segment message ids")."""

MAX_RECORD_BYTES: Final = 32_768
"""The limit of 32 KB for one event (schemas/SOURCES.md, "Segment batch requests"), as Segment's own clients read it
(schemas/SOURCES.md, "Segment clients")."""
