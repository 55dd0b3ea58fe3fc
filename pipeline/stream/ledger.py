"""The ledger: record batches in hand, and how far each partition may be committed.

A partition's batches stand in the order of their delivery. What may be committed is the *longest acknowledged
prefix*: the offset after the last batch that is acknowledged together with every batch before it. Batches are told
apart by identity, never by offset, so gaps (compaction, transaction markers) do not matter, and a batch that was
given up and is acknowledged late cannot count for the same offsets when their partition has come back. Offsets that
were read over and hold no message for us (markers, aborted transactions) are settled with what stands before them.

Pure: no clock, no Kafka. All calls come from one thread.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pipeline.core.messages import Message


class TopicPartition(NamedTuple):
    """A partition of a topic. Equal to Faust's and aiokafka's tuples of the same two fields."""

    topic: str
    partition: int


NEVER_STORED = -1


class Position(NamedTuple):
    """Where a partition is read from, and whether that is its committed offset (or the log's start)."""

    offset: int
    committed: bool


class DeliveredBatch:
    """The messages of one partition that one fetch returned (`pipeline.core.messages.MessageBatch`)."""

    __slots__ = ("_entry", "_ledger", "_size", "acknowledged", "messages", "partition", "topic")

    def __init__(self, ledger: Ledger, entry: _PartitionEntry, messages: Sequence[Message]) -> None:
        self._ledger = ledger
        self._entry = entry
        self.topic = entry.place.topic
        self.partition = entry.place.partition
        self.messages = messages
        self._size = -1
        self.acknowledged = False

    @property
    def size(self) -> int:
        """The bytes of its keys and values, which is all of a message that varies (`pipeline.stream.fetched_ahead`).

        Counted when it is first asked for: most batches are settled before.
        """
        if self._size < 0:
            self._size = sum([len(each.value or b"") + len(each.key or b"") for each in self.messages])
        return self._size

    @property
    def next_offset(self) -> int:
        """The offset to read next when this batch is done."""
        return self.messages[-1].offset + 1

    def acknowledge(self) -> None:
        """Say that every message of the batch is settled. Idempotent; no effect after its partition was given up."""
        if not self.acknowledged:
            self.acknowledged = True
            self._ledger.settle(self._entry)


class _PartitionEntry:
    """One partition for as long as one assignment of it lasts."""

    __slots__ = ("batches", "held", "messages", "place", "read_to", "settled_to", "stored_to")

    def __init__(self, place: TopicPartition, position: Position) -> None:
        self.place = place
        self.batches: deque[DeliveredBatch] = deque()
        self.messages = 0
        self.read_to = position.offset
        self.settled_to = position.offset
        self.stored_to = position.offset if position.committed else NEVER_STORED
        self.held = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Offsets to store, and the assignments that they belong to."""

    offsets: Mapping[TopicPartition, int]
    entries: Sequence[tuple[_PartitionEntry, int]]


class Ledger:
    """Keeps the batches in hand of every assigned partition."""

    def __init__(self, *, on_settled: Callable[[], None]) -> None:
        """Call `on_settled` whenever an offset becomes committable."""
        self._entries: dict[TopicPartition, _PartitionEntry] = {}
        self._on_settled = on_settled

    def assign(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Start anew with these partitions.

        A first position is committed as it is: from then on, messages that retention removes unread are noticed.
        """
        self.revoke(tuple(self._entries))
        for place, position in positions.items():
            entry = _PartitionEntry(place, position)
            self._entries[place] = entry
        if any(not position.committed for position in positions.values()):
            self._on_settled()

    def revoke(self, places: Collection[TopicPartition]) -> None:
        """Give partitions up, with everything in hand of them: late acknowledgements do not count."""
        for place in places:
            entry = self._entries.pop(place, None)
            if entry is not None:
                entry.held = False
                entry.batches.clear()

    def deliver(self, place: TopicPartition, messages: Sequence[Message]) -> DeliveredBatch:
        """Note a batch as in hand.

        Raises:
            KeyError: the partition is not assigned.
        """
        entry = self._entries[place]
        batch = DeliveredBatch(self, entry, messages)
        entry.batches.append(batch)
        entry.messages += len(messages)
        return batch

    def read(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note where partitions are read next; everything before that is delivered or holds no message for us."""
        for place, offset in positions.items():
            entry = self._entries[place]
            entry.read_to = offset
            if not entry.batches:
                self.settle(entry)

    def settle(self, entry: _PartitionEntry) -> None:
        """Take the acknowledged prefix out of hand."""
        batches = entry.batches
        settled = entry.settled_to
        while batches and batches[0].acknowledged:
            batch = batches.popleft()
            settled = batch.next_offset
            entry.messages -= len(batch.messages)
        if not batches and entry.read_to > settled and entry.held:
            settled = entry.read_to
        if settled != entry.settled_to:
            entry.settled_to = settled
            self._on_settled()

    def committable(self) -> Commit:
        """Return what may be committed and is not stored yet; empty `offsets` when there is nothing."""
        entries = [(entry, entry.settled_to) for entry in self._entries.values() if entry.settled_to > entry.stored_to]
        return Commit(offsets={entry.place: offset for entry, offset in entries}, entries=entries)

    def stored(self, commit: Commit) -> None:
        """Note that the broker has confirmed a commit."""
        for entry, offset in commit.entries:
            if entry.held and offset > entry.stored_to:
                entry.stored_to = offset

    def places(self) -> frozenset[TopicPartition]:
        """Return the assigned partitions."""
        return frozenset(self._entries)

    def messages_of(self, place: TopicPartition) -> int:
        """Count the messages of one partition that are not settled in order; 0 when it is not assigned."""
        entry = self._entries.get(place)
        return entry.messages if entry is not None else 0

    def bytes_of(self, place: TopicPartition) -> int:
        """Count the bytes of those messages, keys and values."""
        entry = self._entries.get(place)
        return sum([batch.size for batch in entry.batches]) if entry is not None else 0

    def oldest_in_hand(self, place: TopicPartition) -> Message | None:
        """Return the oldest message of a partition that is not settled in order; None when none is in hand."""
        entry = self._entries.get(place)
        return entry.batches[0].messages[0] if entry is not None and entry.batches else None

    def messages_in_hand(self) -> int:
        """Count the messages of all partitions that are not settled in order."""
        return sum(entry.messages for entry in self._entries.values())

    def offsets_to_reread(self) -> Mapping[TopicPartition, int]:
        """Return, for each assigned partition, the offset that a restart would read first."""
        return {
            place: entry.settled_to if entry.stored_to == NEVER_STORED else entry.stored_to
            for place, entry in self._entries.items()
        }
