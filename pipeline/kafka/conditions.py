"""Conditions that every batch depends on: a correct clock, and topic settings that lose no messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.kafka.prerequisites import PrerequisiteAwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import MessageBatch


class Condition:
    """One condition that must be met before any batch is decided (`pipeline.kafka.prerequisites.Prerequisite`)."""

    def __init__(self, words: str, hold: HoldReason, reason: Callable[[], str | None]) -> None:
        """`reason` returns why the condition is not met, as one sentence; None when it is met."""
        self.words = words
        self.hold = hold
        self._reason = reason

    def missing_for(self, partition: int) -> set[str]:
        """Return nothing: a partition can be prepared while the condition is not met."""
        del partition
        return set()

    def missing(self, batch: MessageBatch) -> set[str]:
        """Return the condition's words, or nothing when it is met."""
        del batch
        return set() if self._reason() is None else {self.words}

    async def obtain(self, item: str) -> None:
        """Check the condition again.

        Raises:
            PrerequisiteAwayError: it is not met.
        """
        del item
        if (reason := self._reason()) is not None:
            raise PrerequisiteAwayError(reason)

    async def forget(self, partitions: Collection[int]) -> None:
        """Do nothing: a condition is the same for all partitions."""
