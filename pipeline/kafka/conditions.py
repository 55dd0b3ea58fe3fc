"""Conditions under which nothing may be decided or sent, whatever it is: a clock that is wrong, topics that lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.kafka.needs import PrerequisiteAwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import MessageBatch


class Condition:
    """One condition, which every batch needs (`pipeline.stream.needs.Prerequisites`)."""

    def __init__(self, words: str, hold: HoldReason, reason: Callable[[], str | None]) -> None:
        """`reason` returns why it is not met, as one sentence; None where it is."""
        self.words = words
        self.hold = hold
        self._reason = reason

    def missing_for(self, partition: int) -> set[str]:
        """Return nothing: a partition may be got ready meanwhile."""
        del partition
        return set()

    def missing(self, batch: MessageBatch) -> set[str]:
        """Return the condition's words, unless it is met."""
        del batch
        return set() if self._reason() is None else {self.words}

    async def obtain(self, need: str) -> None:
        """Look again.

        Raises:
            PrerequisiteAwayError: it is not met.
        """
        del need
        if (reason := self._reason()) is not None:
            raise PrerequisiteAwayError(reason)

    async def forget(self, partitions: Collection[int]) -> None:
        """Do nothing: a condition is the same for all partitions."""
