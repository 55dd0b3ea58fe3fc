"""Tracked users and a message catalogue, told as plainly as they can be told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.core.content import Content
    from pipeline.core.tracking import Mark


class PlainTrackedUsers:
    """The first mark of each user and calendar month, in a dictionary (`pipeline.core.tracking.TrackedUsers`)."""

    def __init__(self) -> None:
        self.first: dict[tuple[bytes, str], int] = {}

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        return self.first.get((user_key, month(timestamp_ms)))

    def mark(self, mark: Mark) -> None:
        place = (mark.user_key, month(mark.timestamp_ms))
        self.first[place] = min(mark.offset, self.first.get(place, mark.offset))


class PlainCatalogue:
    """Messages in a dictionary (`pipeline.core.catalogue.Catalogue`)."""

    def __init__(self, *known: Content) -> None:
        self.known = {content.id or "": content for content in known}

    def find(self, message_id: str) -> Content | None:
        return self.known.get(message_id)


def month(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m")
