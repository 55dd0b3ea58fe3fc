"""The state of one raw partition, and how it is read back from its topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.core.processing import State
from pipeline.core.tracking import BEFORE_THE_LOG
from pipeline.state.marks_read_back import MarksReadBack
from pipeline.state.sketches import DELIVERY, SHADOW, Sketches
from pipeline.state.stored_marks import MARK_KEY_LENGTH
from pipeline.state.tracked_users import TrackedUsersOfPartition, packed_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.core.billing_month import BillingMonth
    from pipeline.core.outcomes import StateChange
    from pipeline.state.message_catalogue import MessageCatalogue
    from pipeline.state.stored_marks import MarkCodec
    from pipeline.state.tracked_users import UserHasher

HASH_BYTES: Final = 8
HASHED: Final = "user-hash-key"
"""Header of a feed message whose key is that of a mark (hash, month). Its value is the fingerprint of the secret."""
_FORMER: Final = packed_mark(bytes(HASH_BYTES), BEFORE_THE_LOG)[HASH_BYTES:]
"""The second half of marks that were set before this log began."""


class PartitionState:
    """The state of one raw partition (`pipeline.processor.state.PartitionStateView`)."""

    def __init__(
        self, hasher: UserHasher, month: BillingMonth, catalogue: MessageCatalogue | None, *, tracks: bool
    ) -> None:
        """Start empty.

        Args:
            hasher: Hashes users.
            month: Returns the billing month of a time.
            catalogue: The message catalogue, shared by all partitions; None without one.
            tracks: Whether users are tracked.
        """
        self.users = TrackedUsersOfPartition(hasher, month)
        self.sketches = Sketches()
        self.state = State(self.users if tracks else None, catalogue)
        self._catalogue = catalogue
        self._unstored: set[str] = set()
        self._second = -1

    def advance(self, now_ms: int) -> None:
        """Set the present time, in milliseconds since the epoch. Only its seconds matter."""
        second = now_ms // 1000
        if second == self._second:
            return
        self._second = second
        if self._catalogue is not None:
            self._catalogue.advance(now_ms)
        self.users.advance(now_ms)
        self.sketches.advance(self.users.month_of(now_ms))

    def remember(self, change: StateChange) -> None:
        """Apply a change, from the next message on."""
        mark = change.mark
        if mark is not None:
            self.users.mark(mark.user, mark.month, mark.offset)
        if change.learnt is not None and self._catalogue is not None:
            self._catalogue.learn(change.learnt)
            self._unstored.add(change.learnt.id or "")

    def stored(self, changes: Iterable[StateChange]) -> None:
        """Called when changes are stored in Kafka."""
        self._unstored.difference_update(change.learnt.id or "" for change in changes if change.learnt is not None)

    def forget_unstored(self) -> None:
        """Remove what was never stored from the catalogue, which outlives this partition."""
        if self._catalogue is not None:
            self._catalogue.forget(self._unstored)

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        """Count a user of a dropped delivery event."""
        self.sketches.add(DELIVERY, self.users.month_of(timestamp_ms), self.users.hash_of(user_key))

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        """Count a user of an event that a shadow rule would have matched."""
        self.sketches.add(SHADOW + rule, self.users.month_of(timestamp_ms), self.users.hash_of(user_key))

    def users_delivery_would_add(self, month: int) -> float:
        """Estimate the users of a month's dropped delivery events who are not tracked so far."""
        return self.sketches.estimate(DELIVERY, month, lambda user: not self.users.is_tracked(user, month))


class MarksReader:
    """Collects the marks of a partition while they are read back, and sorts them in small steps at the end.

    ``former`` counts the marks from a previous raw topic of the same name.
    """

    def __init__(self, codec: MarkCodec, state: PartitionState) -> None:
        self.former = 0
        self._codec = codec
        self._state = state
        self._marks = MarksReadBack(state.users)

    def take(self, records: Sequence[Any]) -> None:
        """Add messages as they were read.

        Raises:
            ForeignStateError: a message was written with another secret, or by a newer version.
        """
        add, read_mark = self._marks.add, self._codec.read_mark
        for record in records:
            key, value = record.key, record.value
            if key is None or value is None:
                continue
            if len(key) == MARK_KEY_LENGTH:
                mark = read_mark(key, value)
                self.former += mark.endswith(_FORMER)
                add(int.from_bytes(key[HASH_BYTES:], "big"), mark)
            else:
                self._state.sketches.merge(*self._codec.read_sketch(key, value))

    def load_marks(self) -> Iterator[None]:
        """Sort what was collected, a little at each step."""
        return self._marks.load_marks()


def take_feed(
    users: TrackedUsersOfPartition, records: Sequence[Any], fingerprint: bytes, mark: Callable[[int, int], object]
) -> int:
    """Mark users from the feed, by hash and month; return how many messages could not be used.

    The key is the user id, and the timestamp gives the month. With the header `HASHED` the key is that of a mark. Then
    compaction keeps users of two months apart, and an import leaves no user ids in Kafka.
    """
    foreign = 0
    for record in records:
        key = record.key
        if not key:
            foreign += 1
            continue
        hashed = dict(record.headers).get(HASHED) if record.headers else None
        if hashed is None:
            mark(users.hash_of(key), users.month_of(record.timestamp))
        elif hashed == fingerprint and len(key) == MARK_KEY_LENGTH:
            mark(int.from_bytes(key[:HASH_BYTES], "big"), int.from_bytes(key[HASH_BYTES:], "big"))
        else:
            foreign += 1
    return foreign
