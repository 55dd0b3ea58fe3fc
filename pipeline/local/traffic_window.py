"""Limit how far the generator may run ahead, so that the embedded broker never drops unread messages.

A partition keeps ``KEPT_BYTES_PER_PARTITION`` and drops the oldest messages beyond it without an error. The window
allows half of that, for each partition of two topics at once:

- raw topic: bytes and batches written beyond the processor's committed offset;
- records topic: records that its slowest reader has not settled, and those that uncommitted raw messages may still
  become (after a crash: become again), each counted with the size of the largest record.

Both are checked before a batch is written. Nothing else writes, so neither topic comes near the limit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.local.broker import KEPT_BATCHES_PER_PARTITION, KEPT_BYTES_PER_PARTITION

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_RECORD_BYTES: Final = 1_800
"""The largest record of the generator's traffic in the records topic, key and headers included."""

_SAFE_BYTES: Final = KEPT_BYTES_PER_PARTITION // 2
_SAFE_BATCHES: Final = KEPT_BATCHES_PER_PARTITION // 2
_SAFE_RECORDS: Final = min(_SAFE_BYTES // LARGEST_RECORD_BYTES, _SAFE_BATCHES)  # a batch may hold a single record


class EvictionError(Exception):
    """The broker dropped messages before they were read; the text has the partition and the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicOffsets:
    """Offsets of one topic and one reader, by partition: the first kept, the next to write, the next to read."""

    low: Mapping[int, int]
    high: Mapping[int, int]
    read: Mapping[int, int]

    def unread(self, partition: int) -> int:
        """Return how many messages of a partition are unread."""
        return self.high.get(partition, 0) - self.read.get(partition, 0)

    def total_unread(self) -> int:
        """Return how many messages of all partitions are unread."""
        return sum(self.high.values()) - sum(self.read.values())


def check_nothing_was_dropped(name: str, offsets: TopicOffsets) -> None:
    """Compare a topic's first kept offsets with its reader's.

    Raises:
        EvictionError: the broker dropped messages that the reader has not read.
    """
    for partition, low in offsets.low.items():
        lost = low - offsets.read.get(partition, 0)
        if lost > 0:
            raise EvictionError(f"{name}: the broker dropped {lost} messages of partition {partition} unread")


@dataclass(frozen=True, slots=True)
class _Written:
    end_offset: int
    size: int


@dataclass(slots=True)
class Window:
    """The room left in each partition of the raw topic. Offsets start at 0, because the topic was empty."""

    _written: dict[int, deque[_Written]] = field(default_factory=dict)
    _bytes: dict[int, int] = field(default_factory=dict)
    _ends: dict[int, int] = field(default_factory=dict)
    _committed: dict[int, int] = field(default_factory=dict)
    _unsettled_records: dict[int, int] = field(default_factory=dict)

    def has_room(self, partition: int, *, messages: int, size: int) -> bool:
        """Return whether a batch of ``messages`` messages and ``size`` bytes may be written now."""
        may_become_records = self._ends.get(partition, 0) - self._committed.get(partition, 0) + messages
        return (
            self._bytes.get(partition, 0) + size <= _SAFE_BYTES
            and len(self._written.get(partition, ())) < _SAFE_BATCHES
            and self._unsettled_records.get(partition, 0) + may_become_records <= _SAFE_RECORDS
        )

    def wrote(self, partition: int, *, messages: int, size: int) -> None:
        """Add a batch that is being written."""
        end = self._ends.get(partition, 0) + messages
        self._ends[partition] = end
        self._written.setdefault(partition, deque()).append(_Written(end, size))
        self._bytes[partition] = self._bytes.get(partition, 0) + size

    def settled(self, raw: TopicOffsets, records: TopicOffsets) -> None:
        """Advance to the offsets of the processor and of the slowest reader of the records topic."""
        for partition, offset in raw.read.items():
            self._committed[partition] = offset
            waiting = self._written.get(partition, deque())
            while waiting and waiting[0].end_offset <= offset:
                self._bytes[partition] -= waiting.popleft().size
        for partition in records.high:
            self._unsettled_records[partition] = records.unread(partition)
