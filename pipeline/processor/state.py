"""What a processor remembers of the messages of each raw partition, as its work uses it.

What is remembered is stored before the records that were decided by it, and the offset is committed last. So a
successor that reads it back knows at least what its predecessor knew at the committed offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.core.processing import STATELESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.outcomes import StateChange
    from pipeline.core.processing import State


class PartitionStateView(Protocol):
    """What is remembered of one raw partition. Its batches are decided in order, one at a time."""

    @property
    def state(self) -> State:
        """What decisions may ask."""

    def remember(self, change: StateChange) -> None:
        """Take a change in, from the next message on."""

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        """Note a user of whom a delivery event was dropped: it would have touched the user."""

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        """Note a user of whom a shadow rule would have decided an event."""


class StateSource(Protocol):
    """The memories of all raw partitions that this worker has."""

    def of(self, partition: int) -> PartitionStateView:
        """Return the memory of a partition, which is complete."""

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        """Return whether there is anything to store now."""

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        """Store changes; returning means the broker has confirmed every one of them. It may be cancelled."""

    def repeats(self, partition: int) -> bool:
        """Return whether the storing of a partition's changes is being repeated."""


class NoState:
    """Remembers nothing of any partition (`PartitionStateView` and `StateSource`)."""

    state = STATELESS

    def of(self, partition: int) -> NoState:
        """Return itself: there is one memory, an empty one."""
        del partition
        return self

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        """Have nothing to store."""
        del partition, changes
        return False

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        """Store nothing."""

    def repeats(self, partition: int) -> bool:
        """Repeat nothing."""
        del partition
        return False

    def remember(self, change: StateChange) -> None:
        """Forget it at once."""

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        """Note nobody."""

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        """Note nobody."""
