"""Read back the state of a partition before the processor decides its first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.errors import KafkaUnreachableError, UnreadableTopicError
from pipeline.kafka.prerequisites import PrerequisiteAwayError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.state.store import StateStore


class StatePrerequisite:
    """The state of raw partitions (`pipeline.kafka.prerequisites.Prerequisite`), one item for each partition."""

    words = "what is remembered of users and messages"
    hold = HoldReason.STATE_AWAY

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def missing_for(self, partition: int) -> set[int]:
        """Return the partition, unless its state is complete."""
        return set() if self._state.is_complete(partition) else {partition}

    def missing(self, batch: MessageBatch) -> set[int]:
        """Return the batch's partition, unless its state is complete."""
        return self.missing_for(batch.partition)

    async def obtain(self, partition: int) -> None:
        """Read back the state of a partition.

        Raises:
            PrerequisiteAwayError: Kafka does not answer, or the topic cannot be read.
            ForeignStateError: it was written with another secret, or by a newer version.
        """
        try:
            await self._state.restore(partition)
        except (KafkaUnreachableError, UnreadableTopicError) as error:
            raise PrerequisiteAwayError(str(error)) from error

    async def forget(self, partitions: Collection[int]) -> None:
        """Forget partitions that were revoked."""
        self._state.forget(partitions)
