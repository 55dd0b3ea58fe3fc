"""Machines with a mistake in them. The simulation must notice each one: otherwise it does not check that rule."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from pipeline.delivery.actions import Acknowledge, Send
from pipeline.delivery.decisions import Attempt, Done, Hold, Retry, Unknown
from pipeline.delivery.dissection import NOTHING
from pipeline.delivery.exchange import Exchange
from pipeline.delivery.lane import Lane, _Phase
from pipeline.delivery.request_batch import RequestBatch
from pipeline.stream.ledger import DeliveredBatch, Ledger

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Message, Partition
    from pipeline.delivery.actions import Action
    from pipeline.delivery.answers import Response
    from pipeline.delivery.decisions import Settled
    from pipeline.delivery.limits import RequestLimits
    from pipeline.stream.ledger import TopicPartition, _Assignment

# ---- ledgers


class _LooseBatch(DeliveredBatch):
    """A batch whose acknowledgement looks its ledger up by partition, in whichever assignment."""

    __slots__ = ("ledger",)

    ledger: _LooseLedger

    def acknowledge(self) -> None:
        if not self.acknowledged:
            self.acknowledged = True
            self.ledger.acknowledge_loosely(self)


class _LooseLedger(Ledger):
    def deliver(self, partition: TopicPartition, messages: Sequence[Message]) -> DeliveredBatch:
        assignment = self._assignments[partition]
        batch = _LooseBatch(self, assignment, messages)
        batch.ledger = self
        assignment.batches.append(batch)
        assignment.messages += len(messages)
        return batch

    def acknowledge_loosely(self, batch: DeliveredBatch) -> None:
        assignment = self._assignments.get(batch._assignment.partition)
        if assignment is not None:
            for other in assignment.batches:
                if self.is_meant(other, batch):
                    other.acknowledged = True
                    break
            self.settle(assignment)

    def is_meant(self, other: DeliveredBatch, batch: DeliveredBatch) -> bool:
        raise NotImplementedError


class LedgerThatMatchesByOffset(_LooseLedger):
    """Finds the batch of an acknowledgement by its first offset."""

    def is_meant(self, other: DeliveredBatch, batch: DeliveredBatch) -> bool:
        return other.messages[0].offset == batch.messages[0].offset


class LedgerThatCountsLateAcknowledgements(_LooseLedger):
    """Lets a batch that was given up settle the oldest batch of the partition's next assignment."""

    def is_meant(self, other: DeliveredBatch, batch: DeliveredBatch) -> bool:
        return other is batch or batch._assignment is not other._assignment


class LedgerThatCommitsTheHighest(Ledger):
    """Commits up to the highest acknowledged batch, even if earlier batches are unsettled."""

    def settle(self, assignment: _Assignment) -> None:
        done = [batch for batch in assignment.batches if batch.acknowledged]
        for batch in done:
            assignment.batches.remove(batch)
            assignment.messages -= len(batch.messages)
            assignment.settled_to = max(assignment.settled_to, batch.next_offset)
        if done:
            self._on_settled()
        super().settle(assignment)


class LedgerThatSettlesWhatWasRead(Ledger):
    """Treats the next fetch position as settled while batches are in hand."""

    def settle(self, assignment: _Assignment) -> None:
        super().settle(assignment)
        if assignment.held and assignment.settled_to < assignment.read_to:
            assignment.settled_to = assignment.read_to
            self._on_settled()


class LedgerThatForgetsWhatWasReadOver(Ledger):
    """Never settles offsets that have no message."""

    def read(self, positions: object) -> None:
        del positions


class LedgerThatSettlesInSilence(Ledger):
    """Does not report what becomes committable: a commit waits until something else is settled."""

    def settle(self, assignment: _Assignment) -> None:
        announce, self._on_settled = self._on_settled, lambda: None
        super().settle(assignment)
        self._on_settled = announce


# ---- lanes


class LaneThatSendsBeforeItIsSettled(Lane):
    """Sends the next request while one is under way."""

    def next_action(self, *, now: float, not_before: float) -> Action:
        if self._phase is _Phase.SENDING and self._intake.backlog:
            self._phase = _Phase.IDLE
        return super().next_action(now=now, not_before=not_before)


class LaneThatKeepsWhatItGaveUp(Lane):
    """Subtracts what was given up from its count, but still sends it."""

    def withdraw(self, partitions: Collection[Partition]) -> None:
        """Do nothing."""


class LaneThatKeepsItsRequestBatch(Lane):
    """Leaves messages that were given up in the request batch that is repeated."""

    def forget(self, partitions: Collection[Partition]) -> int:
        rest = copy(self._rest)
        dropped = super().forget(partitions)
        self._rest = rest
        return dropped


class LaneThatTakesAFailureForAnAnswer(Lane):
    """Continues with the next records after an answer that asks for a retry."""

    def answered(self, decision: Settled, *, now: float) -> RequestBatch:
        return super().answered(Done() if isinstance(decision, Retry) else decision, now=now)


class LaneThatRetriesBehindTheOthers(Lane):
    """Moves failed records to the end of the queue."""

    def answered(self, decision: Settled, *, now: float) -> RequestBatch:
        request_batch = self._rest.part
        accepted = super().answered(decision, now=now)
        if isinstance(decision, Retry) and self._intake.backlog:
            for run in request_batch.runs:
                self._intake.backlog.append(run)
            self._rest, self._phase = self._dissection_of(NOTHING), _Phase.IDLE
        return accepted


class LaneThatAcknowledgesWhenItSends(Lane):
    """Acknowledges a batch when its last record is about to be sent."""

    _next: Action | None = None

    def next_action(self, *, now: float, not_before: float) -> Action:
        if self._next is not None:
            action, self._next = self._next, None
            return action
        action = super().next_action(now=now, not_before=not_before)
        if not isinstance(action, Send):
            return action
        self._next = action
        return Acknowledge(
            batches=[run.source.batch for run in action.request_batch.runs if run.source.unsettled == len(run.records)]
        )


class LaneThatForgetsDeadLetters(Lane):
    """Treats a batch as settled when its good records are accepted, before its dead letters are stored."""

    def next_action(self, *, now: float, not_before: float) -> Action:
        if self._phase is _Phase.REFUSED:
            self.stored()
        return super().next_action(now=now, not_before=not_before)


class LaneThatSleeps(Lane):
    """Waits without end after an answer that holds."""

    def answered(self, decision: Settled, *, now: float) -> RequestBatch:
        accepted = super().answered(decision, now=now)
        if isinstance(decision, Hold):
            self._due_at = float("inf")
        return accepted


class LaneThatMixesItsPartitions(Lane):
    """Sends the newest run first."""

    def next_action(self, *, now: float, not_before: float) -> Action:
        if self._phase is _Phase.IDLE:
            self._intake.backlog._runs.reverse()
        return super().next_action(now=now, not_before=not_before)


class LaneThatOverfills(Lane):
    """Packs one record too many."""

    def next_action(self, *, now: float, not_before: float) -> Action:
        first = not self._rest.part.runs
        action = super().next_action(now=now, not_before=not_before)
        if isinstance(action, Send) and first and self._intake.backlog:
            runs = (*action.request_batch.runs, *self._intake.backlog.take().runs)
            self._rest = self._dissection_of(RequestBatch(runs=runs))
            self._sent = self._rest.part
            return Send(request_batch=self._rest.part, attempt=action.attempt)
        return action


class LaneThatForgetsWhatItLearnt(Lane):
    """Packs by the settings, and ignores which sizes were too large before."""

    _settings: RequestLimits | None = None

    def next_action(self, *, now: float, not_before: float) -> Action:
        learnt = self._limits.in_force
        self._settings = self._limits.in_force = self._settings or learnt
        try:
            return super().next_action(now=now, not_before=not_before)
        finally:
            self._limits.in_force = learnt


class LaneThatIsNeverDue(Lane):
    """Sends only full requests."""

    def next_move_at(self, *, not_before: float) -> float:
        if (
            self._phase is _Phase.IDLE
            and not self._intake.backlog.fills_a_request
            and not self._in_hand.something_finished
        ):
            return float("inf")
        return super().next_move_at(not_before=not_before)


# ---- partial answers


class LaneThatAcceptsWhatWasRefused(Lane):
    """Settles every record of a request that was accepted in part."""

    def answered(self, decision: Settled, *, now: float) -> RequestBatch:
        return super().answered(Done() if isinstance(decision, Done) else decision, now=now)


class LaneThatAsksNoBreaker(Lane):
    """Stores the refused records of a partial answer without asking the breaker."""

    def _accepted(self, done: Done, now: float) -> RequestBatch:
        self._rest.may_go_on = self._rest.may_be_stored = lambda: True  # type: ignore[method-assign]
        return super()._accepted(done, now)


class ExchangeThatTrustsEveryAnswer(Exchange):
    """Believes an answer that contradicts what was sent, and keeps only the indexes that exist."""

    def decide(self, response: Response, *, attempt: int, sent_records: int, unclear_before: int = 0) -> Settled:
        decision = self.api.decide(
            response,
            Attempt(
                number=attempt,
                sent_records=sent_records,
                jitter=self.chance(),
                now=self.wall_clock(),
                policy=self.policy,
                unclear_before=unclear_before,
            ),
        )
        if isinstance(decision, Unknown):
            return Retry(after_seconds=1.0)
        if not isinstance(decision, Done):
            return decision
        return Done(refused=tuple(record for record in decision.refused if 0 <= record.index < sent_records))


class LaneThatTakesBackFinalVerdicts(Lane):
    """Sends a record again though the breaker has allowed its dead letter."""

    def _accepted(self, done: Done, now: float) -> RequestBatch:
        accepted = super()._accepted(done, now)
        if done.refused and self.hold is None:
            self._rest._final = 0
            self._rest.rejoin()
            self._enter(_Phase.BACKING_OFF)
        return accepted
