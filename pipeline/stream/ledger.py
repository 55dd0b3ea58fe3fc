"""The ledger: message batches in hand, and how far each partition may be committed.

The batches of a partition are kept in the order of their delivery. What may be committed is the *longest acknowledged
prefix*: the offset after the last batch that is acknowledged together with every batch before it. Batches are compared
by identity, never by offset. So gaps (compaction, transaction markers) do not matter, and a late acknowledgement of a
batch from a previous assignment cannot count for the same offsets in this one. Offsets without a message for us
(markers, aborted transactions) are settled with the messages before them.

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
    """Where a partition is read from. `committed` is false if that is the start of its log."""

    offset: int
    committed: bool


class DeliveredBatch:
    """The messages of one partition that one fetch returned (`pipeline.core.messages.MessageBatch`)."""

    __slots__ = ("_assignment", "_ledger", "_size", "acknowledged", "messages", "partition", "topic")

    def __init__(self, ledger: Ledger, assignment: _Assignment, messages: Sequence[Message]) -> None:
        self._ledger = ledger
        self._assignment = assignment
        self.topic = assignment.partition.topic
        self.partition = assignment.partition.partition
        self.messages = messages
        self._size = -1
        self.acknowledged = False

    @property
    def size(self) -> int:
        """The bytes of its keys and values, the only parts of a message that vary in size.

        Counted on first use: most batches are settled before.
        """
        if self._size < 0:
            self._size = sum([len(each.value or b"") + len(each.key or b"") for each in self.messages])
        return self._size

    @property
    def next_offset(self) -> int:
        """The offset after this batch."""
        return self.messages[-1].offset + 1

    def acknowledge(self) -> None:
        """Mark every message of the batch as settled. Idempotent. No effect after its partition was revoked."""
        if not self.acknowledged:
            self.acknowledged = True
            self._ledger.settle(self._assignment)


class _Assignment:
    """One partition during one assignment."""

    __slots__ = ("batches", "held", "messages", "partition", "read_to", "settled_to", "stored_to")

    def __init__(self, partition: TopicPartition, position: Position) -> None:
        self.partition = partition
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
    assignments: Sequence[tuple[_Assignment, int]]


class Ledger:
    """Keeps the batches in hand of every assigned partition."""

    def __init__(self, *, on_settled: Callable[[], None]) -> None:
        """`on_settled` is called whenever an offset becomes committable."""
        self._assignments: dict[TopicPartition, _Assignment] = {}
        self._on_settled = on_settled

    def assign(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Replace all assignments by these partitions.

        A first position is committed as it is. From then on, messages that retention removes unread are noticed.
        """
        self.revoke(tuple(self._assignments))
        for partition, position in positions.items():
            assignment = _Assignment(partition, position)
            self._assignments[partition] = assignment
        if any(not position.committed for position in positions.values()):
            self._on_settled()

    def revoke(self, partitions: Collection[TopicPartition]) -> None:
        """Remove partitions with everything in hand; later acknowledgements do not count."""
        for partition in partitions:
            assignment = self._assignments.pop(partition, None)
            if assignment is not None:
                assignment.held = False
                assignment.batches.clear()

    def deliver(self, partition: TopicPartition, messages: Sequence[Message]) -> DeliveredBatch:
        """Add a batch to what is in hand.

        Raises:
            KeyError: the partition is not assigned.
        """
        assignment = self._assignments[partition]
        batch = DeliveredBatch(self, assignment, messages)
        assignment.batches.append(batch)
        assignment.messages += len(messages)
        return batch

    def read(self, positions: Mapping[TopicPartition, int]) -> None:
        """Set where partitions are read next. Everything before was delivered, or is no message for us."""
        for partition, offset in positions.items():
            assignment = self._assignments[partition]
            assignment.read_to = offset
            if not assignment.batches:
                self.settle(assignment)

    def settle(self, assignment: _Assignment) -> None:
        """Remove the acknowledged prefix from what is in hand."""
        batches = assignment.batches
        settled = assignment.settled_to
        while batches and batches[0].acknowledged:
            batch = batches.popleft()
            settled = batch.next_offset
            assignment.messages -= len(batch.messages)
        if not batches and assignment.read_to > settled and assignment.held:
            settled = assignment.read_to
        if settled != assignment.settled_to:
            assignment.settled_to = settled
            self._on_settled()

    def committable(self) -> Commit:
        """Return what may be committed and is not stored yet; `offsets` is empty when there is nothing."""
        assignments = [
            (assignment, assignment.settled_to)
            for assignment in self._assignments.values()
            if assignment.settled_to > assignment.stored_to
        ]
        return Commit(
            offsets={assignment.partition: offset for assignment, offset in assignments}, assignments=assignments
        )

    def stored(self, commit: Commit) -> None:
        """Called when the broker has confirmed a commit."""
        for assignment, offset in commit.assignments:
            if assignment.held and offset > assignment.stored_to:
                assignment.stored_to = offset

    def partitions(self) -> frozenset[TopicPartition]:
        """Return the assigned partitions."""
        return frozenset(self._assignments)

    def messages_of(self, partition: TopicPartition) -> int:
        """Count the messages of one partition that are not settled in order; 0 if it is not assigned."""
        assignment = self._assignments.get(partition)
        return assignment.messages if assignment is not None else 0

    def bytes_of(self, partition: TopicPartition) -> int:
        """Count the bytes of keys and values of these messages."""
        assignment = self._assignments.get(partition)
        return sum([batch.size for batch in assignment.batches]) if assignment is not None else 0

    def oldest_in_hand(self, partition: TopicPartition) -> Message | None:
        """Return the oldest message of a partition that is not settled in order; None when none is in hand."""
        assignment = self._assignments.get(partition)
        return assignment.batches[0].messages[0] if assignment is not None and assignment.batches else None

    def messages_in_hand(self) -> int:
        """Count the messages of all partitions that are not settled in order."""
        return sum(assignment.messages for assignment in self._assignments.values())

    def offsets_to_reread(self) -> Mapping[TopicPartition, int]:
        """Return, for each assigned partition, the offset that a restart would read first."""
        return {
            partition: assignment.settled_to if assignment.stored_to == NEVER_STORED else assignment.stored_to
            for partition, assignment in self._assignments.items()
        }
