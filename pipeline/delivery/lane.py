"""One lane as a machine without I/O: what goes into the next request, when, and what is settled by it.

Whoever drives it asks for the next action, does it, and reports what came of it. Time is an argument, so the same
machine runs on a clock and in a simulation. It keeps the order: at most one request is under way, and the records of
a partition leave in the order in which they came. A flight that fails is repeated as it is, before anything else; one
that is refused is taken apart (`dissection`), and the size of request that this teaches is the limit of all lanes from
then on. Before dead letters are written the breaker is asked; while it says no, the flight is held, and tried again
from the beginning every ``hold_seconds``.

Batches are checked, and decoded where they are Avro, only as far as the next request needs them: JSON that was decoded
is held beside the message that it came from, so a lane has at most one request of it that waits, one under way, and
what one batch adds. However long Segment is away, the other batches wait as they came.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.actions import Acknowledge, Action, Send, Store, Wait
from pipeline.delivery.decisions import Decision, Done, Hold, Refuse, Retry
from pipeline.delivery.dissection import NOTHING, Dissection
from pipeline.delivery.examination import examine
from pipeline.delivery.holds import reasons_of, too_many_dead_letters
from pipeline.delivery.in_hand import InHand
from pipeline.delivery.packing import Backlog
from pipeline.delivery.request_batch import RequestBatch, Run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.core.breaker import Breaker
    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.delivery.examination import ReadAvro
    from pipeline.delivery.packing import LearntLimits
    from pipeline.delivery.request_batch import BatchInHand

_NEVER: Final = float("inf")


class _Phase(Enum):
    IDLE = auto()
    SENDING = auto()
    BACKING_OFF = auto()
    REFUSED = auto()  # dead letters wait to be stored
    STORING = auto()


class Lane:
    """Decide for one lane. ``draining`` sends what is there without waiting for more."""

    def __init__(
        self,
        *,
        limits: LearntLimits,
        flush_interval_seconds: float,
        breaker: Breaker,
        hold_seconds: float,
        read_avro: ReadAvro | None = None,
    ) -> None:
        self.draining = False
        self._read_avro = read_avro
        self._limits = limits
        self._max_record_bytes = limits.in_force.max_record_bytes
        self._flush_interval_seconds = flush_interval_seconds
        self._breaker = breaker
        self._hold_seconds = hold_seconds
        self._unchecked: deque[BatchInHand] = deque()  # behind a backlog that fills a request, else empty
        self._backlog = Backlog(limits)
        self._in_hand = InHand()
        self._unreadable: dict[Partition, bytes] = {}
        self._leaving: set[Partition] = set()
        self._phase = _Phase.IDLE
        self._rest = Dissection(NOTHING, breaker)
        self._sent_records = 0
        self._attempt = 0
        self._due_at = 0.0
        self._hold: Hold | None = None
        self._tripped: Hold | None = None

    # What the driver and the sink look at.

    @property
    def hold(self) -> Hold | None:
        """Why the flight is held; None while it is not."""
        return self._hold or self._tripped

    @property
    def holds(self) -> frozenset[HoldReason]:
        """Every cause for which something of this lane is held."""
        held = frozenset(hold.reason for hold in (self._hold, self._tripped) if hold is not None)
        return held | {HoldReason.UNKNOWN_FORMAT} if self._unreadable else held

    @property
    def flight(self) -> RequestBatch:
        """The records of the request to send or under way, then the dead letters; empty when there is nothing."""
        return self._rest.part if self._rest.part.runs else self._rest.letters

    @property
    def apart(self) -> bool:
        """Whether the flight is being taken apart, because it was refused."""
        return self._rest.apart

    @property
    def backing_off(self) -> bool:
        return self._phase is _Phase.BACKING_OFF

    @property
    def retrying(self) -> bool:
        """Whether a flight is not settled yet that failed before and is not held: it waits, or is on its way again."""
        unsettled = self._phase in {_Phase.BACKING_OFF, _Phase.SENDING}
        return unsettled and self.hold is None and (self._attempt > 1 or self._phase is _Phase.BACKING_OFF)

    @property
    def in_flight(self) -> bool:
        return self._phase is _Phase.SENDING

    @property
    def storing(self) -> bool:
        return self._phase is _Phase.STORING

    @property
    def partitions(self) -> set[Partition]:
        """The partitions of which something is unsettled. They share the lane, so what delays one delays them all."""
        return self._in_hand.partitions

    @property
    def queued(self) -> set[Partition]:
        """The partitions whose oldest unsettled records wait for their turn."""
        waiting = {id(held) for held in (*self._backlog.holds(), *self._unchecked)}
        return {partition for partition, held in self._in_hand.oldest.items() if id(held) in waiting}

    @property
    def unreadable(self) -> Mapping[Partition, bytes]:
        """The partitions that stopped at a format version which is not known, and that version."""
        return self._unreadable

    @property
    def records_in_hand(self) -> int:
        return self._in_hand.messages

    @property
    def bytes_in_hand(self) -> int:
        return self._in_hand.size

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Tell whether messages of some partitions are under way, or settled and not acknowledged yet."""
        return self._rest.carries(partitions) or self._in_hand.finished_of(partitions)

    def next_move_at(self, *, not_before: float) -> float:
        """Say when this lane can go on by itself: a time, 0 for now, infinity when nothing waits."""
        match self._phase:
            case _Phase.SENDING | _Phase.REFUSED | _Phase.STORING:
                return 0.0
            case _Phase.BACKING_OFF:
                return max(self._due_at, not_before)
            case _Phase.IDLE:
                return 0.0 if self._in_hand.something_finished else max(self._flush_at(), not_before)

    # What happens to it.

    def accept(self, batch: MessageBatch, *, since: float) -> None:
        """Add a batch; check its records when a request needs them. One that is leaving is only kept for `forget`.

        ``since`` is when its flush interval began.
        """
        held = self._in_hand.add(batch, since=since)
        if held.partition not in self._leaving:
            self._unchecked.append(held)
            self._fill()

    def next_action(self, *, now: float, not_before: float) -> Action:
        """Say what to do. Nothing is sent ``not_before`` a time that holds for all lanes."""
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

    def answered(self, decision: Decision, *, now: float) -> None:
        """Report what the answer to a request means."""
        match decision:
            case Done():
                part = self._rest.accepted()
                self._in_hand.settle((run.held, len(run.records)) for run in part.runs)
                self._hold = None
                self._go_on(now)
            case Retry(after_seconds=seconds):
                self._rest.unanswered()
                self._back_off(now + seconds, hold=None)
            case Hold(after_seconds=seconds):
                self._rest.unanswered()
                self._back_off(now + seconds, hold=decision)
            case Refuse():
                self._refused(decision, now)

    def stored(self) -> None:
        """Report that the dead letters are stored."""
        self._in_hand.settle((run.held, len(run.letters)) for run in self._rest.letters.runs)
        self._rest = Dissection(NOTHING, self._breaker)
        self._enter(_Phase.IDLE)

    def interrupted(self, *, now: float) -> None:
        """Report that the request, or the storing of dead letters, was cancelled: what is left of it is due at once."""
        self._due_at = now
        if self._phase is _Phase.SENDING:
            self._rest.unanswered()
        self._enter(_Phase.BACKING_OFF if self._phase is _Phase.SENDING else _Phase.REFUSED)

    def withdraw(self, partitions: Collection[Partition]) -> None:
        """Start nothing more of some partitions; `forget` must follow. What is under way may still settle."""
        self._leaving.update(partitions)
        self._backlog.remove(partitions)
        self._unchecked = deque(held for held in self._unchecked if held.partition not in partitions)
        self._fill()

    def forget(self, partitions: Collection[Partition]) -> int:
        """Drop every batch of some partitions, for good; return how many messages were unsettled.

        The rest of a flight under way stays first in line.
        """
        self.withdraw(partitions)
        self._rest.forget(partitions)
        self._leaving.difference_update(partitions)
        if self._phase in {_Phase.BACKING_OFF, _Phase.REFUSED}:
            self._enter(self._phase)
        for partition in partitions:
            self._unreadable.pop(partition, None)
        return self._in_hand.forget(partitions)

    # What follows from it.

    def _fill(self) -> None:
        """Check batches, oldest first, until what waits fills a request."""
        while self._unchecked and not self._backlog.fills_a_request:
            held = self._unchecked.popleft()
            if held.partition not in self._unreadable:
                self._check(held)

    def _check(self, held: BatchInHand) -> None:
        seen = examine(held.batch.messages, max_record_bytes=self._max_record_bytes, read_avro=self._read_avro)
        if seen.records or seen.letters:
            self._backlog.append(
                Run(
                    held=held,
                    records=seen.records,
                    messages=seen.messages,
                    times=seen.times,
                    letters=seen.letters,
                )
            )
        if seen.unknown_format is not None:
            self._unreadable[held.partition] = seen.unknown_format

    def _flush_at(self) -> float:
        since = self._backlog.oldest_since
        if since is None:
            return _NEVER
        return 0.0 if self.draining or self._backlog.fills_a_request else since + self._flush_interval_seconds

    def _depart(self, now: float) -> Action:
        if self._phase is _Phase.IDLE:
            self._rest = Dissection(self._backlog.take(), self._breaker)
            self._fill()
            self._attempt = 0
        if not self._attempt:  # what may have been accepted already is repeated as it is
            self._rest.cut(self._limits.max_bytes)
        part = self._rest.part
        if not part.runs:
            return self._store(now)
        self._phase = _Phase.SENDING
        self._attempt += 1
        self._sent_records = part.record_count
        return Send(flight=part, attempt=self._attempt)

    def _refused(self, refuse: Refuse, now: float) -> None:
        self._hold = None
        if self._rest.part.record_count == self._sent_records:
            self._rest.refused(refuse.reason)
        # Else the refusal may be about what was forgotten meanwhile: what is left has its own answer to come.
        if self._rest.may_go_on():
            self._go_on(now)
        else:
            self._trip(now, because=refuse.advice)

    def _go_on(self, now: float) -> None:
        """Turn to the next part of the flight, or to its dead letters."""
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
        """Hold what would be too many dead letters: none of these is written, and all is tried again."""
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
        """Go to a phase, or to rest when nothing is left to do."""
        self._rest.tidy()
        self._phase = phase if self._rest.unsettled else _Phase.IDLE
        if self._phase is _Phase.IDLE:
            self._hold = self._tripped = None
