"""The simplest possible implementations of tracked users and of the message catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.core.tracking import Mark

if TYPE_CHECKING:
    from pipeline.core.content import Content


class PlainTrackedUsers:
    """The first mark of each user and calendar month, in a dictionary (`pipeline.core.tracking.TrackedUsers`)."""

    def __init__(self) -> None:
        self.first: dict[tuple[int, int], int] = {}

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        asked = self.mark_of(user_key, timestamp_ms, 0)
        return self.first.get((asked.user, asked.month))

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> Mark:
        year, number = month(timestamp_ms).split("-")
        return Mark(int.from_bytes(b"1" + user_key, "big"), 12 * int(year) + int(number), offset)

    def mark(self, mark: Mark) -> None:
        partition = (mark.user, mark.month)
        self.first[partition] = min(mark.offset, self.first.get(partition, mark.offset))


class PlainCatalogue:
    """Messages in a dictionary (`pipeline.core.catalogue.Catalogue`)."""

    def __init__(self, *known: Content) -> None:
        self.known = {content.id or "": content for content in known}

    def find(self, message_id: str) -> Content | None:
        return self.known.get(message_id)


def month(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m")
