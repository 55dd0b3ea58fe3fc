"""Segment's limits for one record."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE_ID_CHARACTERS: Final = 100
"""The longest messageId (domain.md 2.2)."""

MAX_RECORD_BYTES: Final = 32_768
"""The limit of 32 KB for one event (domain.md 2.1), as Segment's own clients read it (domain.md 2.4)."""
