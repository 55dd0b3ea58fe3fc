"""The state of each raw partition, as the processor uses it.

State is stored before the records that depend on it, and the offset is committed last. So a successor that reads it
back knows at least what its predecessor knew at the committed offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.core.processing import STATELESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.outcomes import StateChange
    from pipeline.core.processing import State


class PartitionStateView(Protocol):
    """The state of one raw partition. Its batches are decided in order, one at a time."""

    @property
    def state(self) -> State:
        """What decisions may look up."""

    def remember(self, change: StateChange) -> None:
        """Apply a change, from the next message on."""

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        """Count a user of a dropped delivery event, which would have touched the user."""

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        """Count a user of an event that a shadow rule would have matched."""


class StateSource(Protocol):
    """The state of all raw partitions that are assigned to this worker."""

    def of(self, partition: int) -> PartitionStateView:
        """Return the state of a partition. It must be complete."""

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        """Return whether anything must be stored now."""

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        """Store changes; returning means that the broker has confirmed all of them. May be cancelled."""

    def repeats(self, partition: int) -> bool:
        """Return whether a write of a partition's changes is being retried."""


class NoState:
    """No state of any partition (`PartitionStateView` and `StateSource`)."""

    state = STATELESS

    def of(self, partition: int) -> NoState:
        """Return itself: all partitions share the empty state."""
        del partition
        return self

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        """Return false: nothing is stored."""
        del partition, changes
        return False

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        """Do nothing."""

    def repeats(self, partition: int) -> bool:
        """Return false: nothing is written."""
        del partition
        return False

    def remember(self, change: StateChange) -> None:
        """Do nothing."""

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        """Do nothing."""

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        """Do nothing."""
