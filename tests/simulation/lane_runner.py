"""Runs a lane in the simulation: what `LaneDriver` does on an event loop, reimplemented step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.answers import Failure, Unanswered
from pipeline.delivery.decisions import Done, Retry, RetryPolicy
from tests.simulation.broker import NEVER, StoreRequest
from tests.simulation.destination import Request
from tests.simulation.promises import BrokenPromiseError, Promise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.messages import Message
    from pipeline.delivery.lane import Lane
    from pipeline.delivery.request_batch import RequestBatch
    from pipeline.stream.ledger import DeliveredBatch, TopicPartition
    from tests.simulation.worker import Worker

REQUEST_SECONDS: Final = 15.0
POLICY: Final = RetryPolicy(base_seconds=0.5, max_seconds=8.0, retry_after_cap_seconds=20.0)


class LaneRunner:
    """One lane of a worker, with the request or the dead letters that it has under way."""

    def __init__(self, number: int, lane: Lane, worker: Worker) -> None:
        self.lane = lane
        self.request: Request | None = None
        self.storing: StoreRequest | None = None
        self.accepted = 0
        self.rejected = 0
        self.given_back = 0
        self._name = f"{worker.name} lane {number}"
        self._worker = worker
        self._world = worker.world
        self._leaving: Collection[TopicPartition] = ()
        self._leave_at = NEVER
        self._drained_at = NEVER
        self._waits_until = NEVER
        self._attempt = 0
        self._sent: Sequence[Message] = ()
        self._final: set[tuple[int, int]] = set()
        self._forgotten: set[int] = set()
        self._exchange = worker.world.parts.exchange(
            api=worker.world.api,
            policy=POLICY,
            wall_clock=lambda: worker.world.now,
            chance=lambda: worker.world.setup.jitter,
        )

    @property
    def leaving(self) -> bool:
        return self._leave_at != NEVER

    @property
    def draining(self) -> bool:
        return self._drained_at != NEVER

    def wake_at(self) -> float:
        """Return when something is due without an event."""
        due = self.request.deadline if self.request else NEVER if self.storing else self._waits_until
        return min(due, self._leave_at, self._drained_at)

    def accept(self, batch: DeliveredBatch) -> None:
        self.lane.accept(batch, since=self._world.now)

    def drain(self, *, deadline: float) -> None:
        self.lane.draining = True
        self._drained_at = deadline

    def revoke(self, partitions: Collection[TopicPartition], *, deadline: float) -> None:
        """Begin to give partitions up."""
        self.lane.withdraw(partitions)
        self._leaving, self._leave_at = partitions, deadline

    def run(self) -> bool:
        """Continue as far as possible at this time; return whether anything happened."""
        moved = self._world.now >= self._leave_at and self._gave_up()
        while self._step():
            moved = True
        if self._over(self._drained_at, settled=False):
            self.lane.draining, self._drained_at = False, NEVER
            moved = True
        return self._gave_up() or moved

    def abandon(self) -> None:
        """Disappear; what is under way may still arrive."""
        if self.request is not None:
            self.request.abandoned = True
        if self.storing is not None:
            self.storing.abandoned = True

    def carries(self, partitions: Collection[TopicPartition]) -> bool:
        """Return whether messages of some partitions are under way."""
        return (self.request is not None or self.storing is not None) and self.lane.carries(partitions)

    def _over(self, deadline: float, *, settled: bool) -> bool:
        if deadline == NEVER:
            return False
        move_at = self.lane.next_move_at(not_before=self._worker.pause_until)
        return settled or move_at > deadline or self._world.now >= deadline

    def _gave_up(self) -> bool:
        if self._leave_at == NEVER or not self._over(self._leave_at, settled=not self.lane.carries(self._leaving)):
            return False
        carried = self.lane.carries(self._leaving)
        self.given_back += self.lane.forget(self._leaving)
        self._forgotten |= {partition.partition for partition in self._leaving}
        self._final = {(number, offset) for number, offset in self._final if number not in self._forgotten}
        self._leaving, self._leave_at = (), NEVER
        answered = self.request is not None and self.request.response is not None
        confirmed = self.storing is not None and self.storing.confirmed
        if not carried or answered or confirmed or (self.request is None and self.storing is None):
            return True  # what has come back already is handled next
        self.abandon()
        self.request = self.storing = None
        self._world.tell("%s: interrupted", self._name)
        self.lane.interrupted(now=self._world.now)
        return True

    def _step(self) -> bool:
        if self.request is not None or self.storing is not None:
            self._check_that_it_waits()
            return self._look_at_answer() or self._look_at_letters()
        match self.lane.next_action(now=self._world.now, not_before=self._worker.pause_until):
            case Send(request_batch=request_batch, attempt=attempt):
                self._send(request_batch, attempt)
            case Store(letters=letters):
                self.storing = StoreRequest(sender=self._worker, letters=letters)
                self._world.broker.stores.append(self.storing)
                self._world.tell("%s: stores %d dead letters", self._name, len(letters))
            case Acknowledge(batches=batches):
                for batch in batches:
                    self._world.broker.promises.acknowledge(batch)
                    batch.acknowledge()
                self._world.tell("%s: acknowledges %d batches", self._name, len(batches))
            case Wait(until=until):
                self._waits_until = until
                return False
        return True

    def _check_that_it_waits(self) -> None:
        action = self.lane.next_action(now=self._world.now, not_before=self._worker.pause_until)
        if not isinstance(action, Wait):
            raise BrokenPromiseError(
                Promise.ONE_REQUEST, f"{self._name} wants to {type(action).__name__} with something under way"
            )

    def _send(self, request_batch: RequestBatch, attempt: int) -> None:
        setup, world = self._world.setup, self._world
        records = request_batch.records
        body = self._exchange.body(records)
        if not (
            len(body) == request_batch.body_bytes(world.api.limits) <= setup.max_batch_bytes
            and len(records) == request_batch.record_count <= setup.max_batch_records
        ):
            raise BrokenPromiseError(Promise.LIMITS, f"{len(records)} records in {len(body)} bytes")
        if attempt == 1 and len(body) > (learnt := self._worker.limits.max_bytes):
            raise BrokenPromiseError(Promise.LIMITS, f"{len(body)} bytes, though the worker learnt to send {learnt}")
        held = self._worker.ledger.partitions()
        for run in request_batch.runs:
            if run.source.partition not in held:
                raise BrokenPromiseError(Promise.OWNERSHIP, f"{self._name} sends of p{run.source.partition[1]}")
        self._attempt = attempt
        self._forgotten.clear()
        self._sent = [message for run in request_batch.runs for message in run.messages]
        if again := self._final.intersection((message.partition, message.offset) for message in self._sent):
            raise BrokenPromiseError(Promise.FINAL, f"{self._name} sends {sorted(again)} again")
        self.request = Request(
            sender=self._worker,
            lane=self._name,
            values=records,
            body_bytes=len(body),
            deadline=world.now + REQUEST_SECONDS,
        )
        world.destination.requests.append(self.request)
        if world.telling:
            remark = ", which another worker owns" if self._owned_by_another(request_batch) else ""
            world.tell("%s: sends %s, attempt %d%s", self._name, _offsets(request_batch), attempt, remark)

    def _owned_by_another(self, request_batch: RequestBatch) -> bool:
        others = [worker.ledger.partitions() for worker in self._world.workers if worker is not self._worker]
        return any(run.source.partition in partitions for run in request_batch.runs for partitions in others)

    def _look_at_answer(self) -> bool:
        request = self.request
        if request is None:
            return False
        response = request.response
        if response is None:
            if self._world.now < request.deadline:
                return False
            response = Unanswered(failure=Failure.TIMEOUT)
            request.abandoned = True
        self.request = None
        decision = self._exchange.decide(
            response,
            attempt=self._attempt,
            sent_records=len(self._sent),
            unclear_before=self.lane.unclear_answers,
        )
        if isinstance(decision, Retry) and decision.everywhere:
            self._worker.pause_until = max(self._worker.pause_until, self._world.now + decision.after_seconds)
        self._world.tell("%s: %s", self._name, decision)
        self.accepted += self.lane.answered(decision, now=self._world.now).record_count
        if isinstance(decision, Done) and self.lane.hold is None:
            refused = (self._sent[record.index] for record in decision.refused)
            kept = (each for each in refused if each.partition not in self._forgotten)
            self._final.update((each.partition, each.offset) for each in kept)
        return True

    def _look_at_letters(self) -> bool:
        if self.storing is None or not self.storing.confirmed:
            return False
        self.storing = None
        self.rejected += len(self.lane.request_batch.letters)
        if sum(lane.rejected for lane in self._worker.lanes) > self._worker.breaker.granted:
            raise BrokenPromiseError(Promise.BREAKER, f"{self._name} stored more than was allowed")
        self.lane.stored()
        return True


def _offsets(request_batch: RequestBatch) -> str:
    return ", ".join(
        f"p{run.source.partition[1]}@{'+'.join(str(message.offset) for message in run.messages)}"
        for run in request_batch.runs
        if run.messages
    )
