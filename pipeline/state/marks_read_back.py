"""Marks while they are read back: collected unsorted, and then sorted in small steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.tracked_users import MARK_BYTES, MOST_MONTHS, SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.state.tracked_users import TrackedUsersOfPartition


class MarksReadBack:
    """The marks of one partition by month and shard, sixteen bytes each, as in the final table.

    Each shard is sorted once, so the time is linear in the number of marks except for a small logarithm. No step is
    long: one shard of a partition with three million users takes a few milliseconds.
    """

    def __init__(self, users: TrackedUsersOfPartition) -> None:
        """Collect marks of ``users``."""
        self._users = users
        self._months: dict[int, list[bytearray]] = {}

    def add(self, month: int, mark: bytes) -> None:
        """Keep a mark (`pipeline.state.tracked_users.packed_mark`) if its month is remembered."""
        shards = self._months.get(month) or self._begin(month)
        if shards is not None:
            shards[mark[0]] += mark

    def load_marks(self) -> Iterator[None]:
        """Load all marks into the table, one shard at each step. The earliest mark of a user counts."""
        for month in sorted(self._months):
            for shard in self._months.pop(month):
                if shard:
                    marks = [bytes(shard[at : at + MARK_BYTES]) for at in range(0, len(shard), MARK_BYTES)]
                    shard.clear()
                    self._users.load_shard(month, marks)
                    yield

    def _begin(self, month: int) -> list[bytearray] | None:
        if not self._users.remembers(month):
            return None
        if len(self._months) == MOST_MONTHS:
            oldest = min(self._months)
            if month < oldest:
                return None
            del self._months[oldest]
        shards = self._months[month] = [bytearray() for _ in range(SHARDS)]
        return shards
