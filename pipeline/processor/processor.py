"""The processor: every step of a batch of raw messages, from the decision to the acknowledgement.

`Processor.handle` shows all effects of a batch in order. `pipeline.processor.rounds` calls it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from pipeline.kafka.prerequisites import Prerequisites
from pipeline.processor.deciding import JSON_ONLY, NO_STATE, decide_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pipeline.core.policy import Policy
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.kafka.producer import Handed, OutboundMessage
    from pipeline.processor.admission import Admission
    from pipeline.processor.counts import ProcessorCounts
    from pipeline.processor.deciding import DecidedBatch, Formats
    from pipeline.processor.state import StateSource
    from pipeline.processor.turn import Turn


class RecordStore(Protocol):
    """Where forwarded records go."""

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        """Start to write records without waiting for anything; return None when that is not possible now."""

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records in order; returning means that the broker has confirmed every one of them.

        `handed` is the result of an attempt to hand the same records over.
        """

    def repeats(self, source_partition: int) -> bool:
        """Return whether a write of a source partition's records is being retried."""


class Processor:
    """Decides a batch, asks the breaker, stores what the batch changes, writes its results, and acknowledges it."""

    def __init__(
        self,
        *,
        policy: Callable[[], Policy],
        records: RecordStore,
        dead_letters: DeadLetterStore,
        counts: ProcessorCounts,
        admission: Admission,
        formats: Formats = JSON_ONLY,
        state: StateSource = NO_STATE,
        prerequisites: Prerequisites | None = None,
    ) -> None:
        """Connect the parts.

        Args:
            policy: Returns the policy in force; called once for each batch, when it is decided.
            records: Where records go.
            dead_letters: Where rejected messages go.
            counts: Counts settled batches.
            admission: Asks the breaker whether a batch may be written.
            formats: How messages are read, and records written.
            state: The state of each partition.
            prerequisites: What must be available before a batch is decided.
        """
        self.admission = admission
        self.prerequisites = prerequisites or Prerequisites()
        self._policy = policy
        self._formats = formats
        self._state = state
        self._records = records
        self._dead_letters = dead_letters
        self._counts = counts

    async def handle(self, turn: Turn) -> bool:
        """Process a batch from its decision to its acknowledgement; return whether it is acknowledged.

        If the next step would have to wait and the turn may not, this returns False before that step. Called again
        with a turn that may wait, it continues from there.
        """
        done = (
            await self._decide(turn)
            and await self._admit(turn)
            and await self._store_changes(turn)
            and await self._write(turn)
        )
        if done:
            self.acknowledge([turn])
        return done

    async def _decide(self, turn: Turn) -> bool:
        """Decide every message of the batch. Nothing is awaited between the check of prerequisites and the decision."""
        if turn.decided is None:
            batch = turn.batch
            if not self.prerequisites.are_met(batch):
                if not turn.may_wait:
                    return False
                await self.prerequisites.obtain((batch.topic, batch.partition), batch)
            turn.decided = decide_batch(batch, self._policy(), self._formats, self._state.of(batch.partition))
        return True

    async def _admit(self, turn: Turn) -> bool:
        """Hold while the breaker objects to the dead letters of the batch."""
        if not turn.admitted:
            decided = _decided(turn)
            if decided.letters:
                if not turn.may_wait:
                    return False
                await self.admission.wait(decided)
            else:
                self.admission.note(decided)
            turn.admitted = True
        return True

    async def _store_changes(self, turn: Turn) -> bool:
        """Store what the batch changes, before the records that were decided by it."""
        number, changes = turn.batch.partition, _decided(turn).changes
        if self._state.has_to_store(number, changes):
            if not turn.may_wait:
                return False
            await self._state.store(number, changes)
        return True

    async def _write(self, turn: Turn) -> bool:
        """Write records and dead letters. In a round, records are only handed over, to be confirmed together."""
        number, decided = turn.batch.partition, _decided(turn)
        if turn.may_wait:
            await asyncio.gather(
                self._records.store(number, decided.records, turn.handed), self._dead_letters.store(decided.letters)
            )
        elif decided.records:
            turn.handed = await self._records.hand_over(number, decided.records)
            return False
        return True

    def acknowledge(self, turns: Sequence[Turn]) -> None:
        """Count and acknowledge batches of which every effect is confirmed; at least one."""
        self._counts.settled([_decided(turn) for turn in turns])
        for turn in turns:
            turn.batch.acknowledge()

    def retries(self, partition: int) -> bool:
        """Return whether a write of a partition's results is being retried."""
        return any(store.repeats(partition) for store in (self._records, self._dead_letters, self._state))

    async def forget(self, partitions: Collection[tuple[str, int]]) -> None:
        """Forget partitions that were revoked."""
        self.admission.forget(partitions)
        await self.prerequisites.forget(partitions)

    def close(self) -> None:
        """Log the last summary."""
        self._counts.close()


def _decided(turn: Turn) -> DecidedBatch:
    if turn.decided is None:
        raise RuntimeError("the batch is not decided")
    return turn.decided
