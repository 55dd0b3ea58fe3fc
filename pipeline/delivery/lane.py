"""One lane as a state machine without I/O: the content of the next request, its time, and what its answer settles.

The driver asks for the next action, carries it out, and reports the result. Time is an argument, so the same code runs
on a clock and in a simulation. A lane keeps the order: at most one request is in flight, and the records of a partition
are sent in the order of their offsets. A request batch that fails is sent again unchanged before anything else. One
that is refused is dissected (`dissection`), and the size limit that this teaches applies to all lanes from then on. The
breaker is asked before dead letters are written. While it says no, the lane holds, and sends the refused records again
every ``hold_seconds``.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.actions import Acknowledge, Action, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry, Settled
from pipeline.delivery.dissection import NOTHING, Dissection
from pipeline.delivery.holds import reasons_of, too_many_dead_letters
from pipeline.delivery.in_hand import InHand
from pipeline.delivery.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.core.breaker import Breaker
    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.delivery.api import Api
    from pipeline.delivery.examination import ReadAvro
    from pipeline.delivery.limits import LearntLimits
    from pipeline.delivery.request_batch import RequestBatch

_NEVER: Final = float("inf")


class _Phase(Enum):
    IDLE = auto()
    SENDING = auto()
    BACKING_OFF = auto()
    REFUSED = auto()  # dead letters wait to be stored
    STORING = auto()


class Lane:
    """Decide for one lane. While ``draining``, it sends without waiting for full requests.

    ``latest_time`` returns the latest time that an event may have, in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        api: Api,
        limits: LearntLimits,
        flush_interval_seconds: float,
        breaker: Breaker,
        hold_seconds: float,
        read_avro: ReadAvro | None = None,
        latest_time: Callable[[], float] | None = None,
    ) -> None:
        self.draining = False
        self._api = api
        self._limits = limits
        self._flush_interval_seconds = flush_interval_seconds
        self._breaker = breaker
        self._hold_seconds = hold_seconds
        self._intake = Intake(api=api, limits=limits, read_avro=read_avro, latest_time=latest_time)
        self._in_hand = InHand()
        self._leaving: set[Partition] = set()
        self._phase = _Phase.IDLE
        self._rest = self._dissection_of(NOTHING)
        self._sent = NOTHING
        self._attempt = 0
        self._unclear = 0
        self._due_at = 0.0
        self._hold: Hold | None = None
        self._tripped: Hold | None = None

    # State that the driver and the sink read.

    @property
    def hold(self) -> Hold | None:
        """Why the lane holds; None while it does not."""
        return self._hold or self._tripped

    @property
    def holds(self) -> frozenset[HoldReason]:
        """Every cause for which this lane, or a partition of it, holds."""
        causes = frozenset(hold.reason for hold in (self._hold, self._tripped) if hold is not None)
        return causes | {HoldReason.UNKNOWN_FORMAT} if self.unreadable else causes

    @property
    def request_batch(self) -> RequestBatch:
        """The records of the next request or the one in flight, or else the dead letters, which may be none."""
        return self._rest.part if self._rest.part.runs else self._rest.letters

    @property
    def dissecting(self) -> bool:
        """Whether the request batch is being dissected, because it was refused."""
        return self._rest.dissected

    @property
    def backing_off(self) -> bool:
        return self._phase is _Phase.BACKING_OFF

    @property
    def retrying(self) -> bool:
        """Whether a request that failed waits to be sent again or is in flight again, and the lane does not hold."""
        unsettled = self._phase in {_Phase.BACKING_OFF, _Phase.SENDING}
        return unsettled and self.hold is None and (self._attempt > 1 or self._phase is _Phase.BACKING_OFF)

    @property
    def unclear_answers(self) -> int:
        """How many of the last answers left open what was accepted of the present request, one after the other."""
        return self._unclear

    @property
    def in_flight(self) -> bool:
        return self._phase is _Phase.SENDING

    @property
    def storing(self) -> bool:
        return self._phase is _Phase.STORING

    @property
    def partitions(self) -> set[Partition]:
        """The partitions with unsettled messages. They share the lane, so a delay of one delays all."""
        return self._in_hand.partitions

    @property
    def queued(self) -> set[Partition]:
        """The partitions whose oldest unsettled records wait to be sent."""
        waiting = {id(source) for source in self._intake.sources()}
        return {partition for partition, source in self._in_hand.oldest.items() if id(source) in waiting}

    @property
    def unreadable(self) -> Mapping[Partition, bytes]:
        """The partitions that stopped at an unknown format version, with that version."""
        return self._intake.unreadable

    @property
    def records_in_hand(self) -> int:
        return self._in_hand.messages

    @property
    def bytes_in_hand(self) -> int:
        return self._in_hand.size

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Return whether messages of these partitions are in the request batch, or settled and not acknowledged yet."""
        return self._rest.carries(partitions) or self._in_hand.finished_of(partitions)

    def next_move_at(self, *, not_before: float) -> float:
        """Return when this lane has its next action: a time, 0 for now, `inf` if nothing waits."""
        match self._phase:
            case _Phase.SENDING | _Phase.REFUSED | _Phase.STORING:
                return 0.0
            case _Phase.BACKING_OFF:
                return max(self._due_at, not_before)
            case _Phase.IDLE:
                return 0.0 if self._in_hand.something_finished else max(self._flush_at(), not_before)

    # Calls of the driver.

    def accept(self, batch: MessageBatch, *, since: float) -> None:
        """Add a batch. Its records are examined when a request needs them.

        ``since`` is when its flush interval began. If its partition was withdrawn, the batch only waits for `forget`.
        """
        source = self._in_hand.add(batch, since=since)
        if source.partition not in self._leaving:
            self._intake.add(source)

    def next_action(self, *, now: float, not_before: float) -> Action:
        """Return what to do now. No lane sends anything before ``not_before``."""
        if finished := self._in_hand.take_finished():
            return Acknowledge(batches=finished)
        match self._phase:
            case _Phase.SENDING | _Phase.STORING:
                return Wait(until=_NEVER)
            case _Phase.REFUSED:
                return self._store(now)
            case _Phase.BACKING_OFF | _Phase.IDLE:
                move_at = self.next_move_at(not_before=not_before)
                return Wait(until=move_at) if now < move_at else self._depart(now)

    def answered(self, decision: Settled, *, now: float) -> RequestBatch:
        """Called with the decision on the answer to a request. Return the records that it accepted."""
        is_unclear = isinstance(decision, Retry | Hold) and decision.unclear is not None
        self._unclear = self._unclear + 1 if is_unclear else 0
        match decision:
            case Done():
                return self._accepted(decision, now)
            case Retry(after_seconds=seconds):
                self._rest.unanswered()
                self._back_off(now + seconds, hold=None)
            case Hold(after_seconds=seconds):
                self._rest.unanswered()
                self._back_off(now + seconds, hold=decision)
            case Refuse():
                self._refused(decision, now)
        return NOTHING

    def stored(self) -> None:
        """Called when the dead letters are stored."""
        self._in_hand.settle((run.source, len(run.letters)) for run in self._rest.letters.runs)
        self._rest = self._dissection_of(NOTHING)
        self._enter(_Phase.IDLE)

    def interrupted(self, *, now: float) -> None:
        """Called when the request, or storing dead letters, was cancelled. The rest is due at once."""
        self._due_at = now
        if self._phase is _Phase.SENDING:
            self._rest.unanswered()
        self._enter(_Phase.BACKING_OFF if self._phase is _Phase.SENDING else _Phase.REFUSED)

    def withdraw(self, partitions: Collection[Partition]) -> None:
        """Start no more requests with these partitions; `forget` must follow. A request in flight may still settle."""
        self._leaving.update(partitions)
        self._intake.remove(partitions)

    def forget(self, partitions: Collection[Partition]) -> int:
        """Drop every batch of these partitions. Return how many messages were unsettled.

        The rest of the present request batch is still sent first.
        """
        self.withdraw(partitions)
        self._rest.forget(partitions)
        self._leaving.difference_update(partitions)
        if self._phase in {_Phase.BACKING_OFF, _Phase.REFUSED}:
            self._enter(self._phase)
        self._intake.forget(partitions)
        return self._in_hand.forget(partitions)

    # Consequences.

    def _flush_at(self) -> float:
        since = self._intake.backlog.oldest_since
        if since is None:
            return _NEVER
        full = self._intake.backlog.fills_a_request
        return 0.0 if self.draining or full else since + self._flush_interval_seconds

    def _dissection_of(self, request_batch: RequestBatch) -> Dissection:
        return Dissection(request_batch, api=self._api, breaker=self._breaker)

    def _depart(self, now: float) -> Action:
        if self._phase is _Phase.IDLE:
            self._rest = self._dissection_of(self._intake.take())
            self._attempt = self._unclear = 0
        if not self._attempt:  # a request that may have been accepted already is sent again unchanged
            self._rest.cut(self._limits.max_bytes)
        part = self._rest.part
        if not part.runs:
            return self._store(now)
        self._phase = _Phase.SENDING
        self._attempt += 1
        self._sent = part
        return Send(request_batch=part, attempt=self._attempt)

    def _accepted(self, done: Done, now: float) -> RequestBatch:
        """Settle the accepted records, and ask the breaker about those that the same answer refused."""
        refused = {record.index: record for record in reversed(done.refused)}  # the first of several counts
        accepted = self._rest.accepted_in_part(self._sent, refused) if refused else self._rest.accepted()
        self._in_hand.settle((run.source, len(run.records)) for run in accepted.runs)
        self._hold = None
        if not refused:
            self._go_on(now)
        elif self._rest.may_go_on():
            self._rest.confirm()
            self._go_on(now)
        else:
            self._trip(now, because=reasons_of(self._rest.letters.letters))
        return accepted

    def _refused(self, refuse: Refuse, now: float) -> None:
        self._hold = None
        if self._rest.part.record_count == self._sent.record_count:
            self._rest.refused(refuse.reason)
        # Otherwise the refusal may be about records that were forgotten meanwhile; the rest is sent again.
        if self._rest.may_go_on():
            self._go_on(now)
        else:
            self._trip(now, because=refuse.advice)

    def _go_on(self, now: float) -> None:
        """Continue with the next part of the request batch, or with its dead letters."""
        if self._rest.cured_bytes is not None:
            self._limits.cured(self._rest.cured_bytes)
        self._rest.tidy()
        self._attempt = 0
        self._due_at = now
        self._enter(_Phase.BACKING_OFF if self._rest.part.runs else _Phase.REFUSED)

    def _store(self, now: float) -> Action:
        if self._rest.may_be_stored():
            self._tripped = None
            self._phase = _Phase.STORING
            return Store(letters=self._rest.letters.letters)
        self._trip(now, because=reasons_of(self._rest.letters.letters))
        return Wait(until=self._due_at)

    def _trip(self, now: float, *, because: str) -> None:
        """Hold, because there would be too many dead letters. None is written; their records are sent again later."""
        self._rest.rejoin()
        advice = too_many_dead_letters(self._breaker.limits, because)
        self._tripped = Hold(after_seconds=self._hold_seconds, advice=advice, reason=HoldReason.BREAKER)
        self._attempt = 0
        self._back_off(now + self._hold_seconds, hold=None)

    def _back_off(self, until: float, *, hold: Hold | None) -> None:
        self._due_at = until
        self._hold = hold
        self._enter(_Phase.BACKING_OFF)

    def _enter(self, phase: _Phase) -> None:
        """Enter a phase, or the idle phase if nothing is left to do."""
        self._rest.tidy()
        self._phase = phase if self._rest.unsettled else _Phase.IDLE
        if self._phase is _Phase.IDLE:
            self._hold = self._tripped = None
