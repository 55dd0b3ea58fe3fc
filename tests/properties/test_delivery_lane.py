"""A lane in a simulated world: any traffic, answers and revocations; promises 1, 3 and 4 hold after each step."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.delivery.lane import Lane
from pipeline.delivery.packing import LearntLimits, PackingLimits
from pipeline.sinks.segment.body import ENVELOPE_BYTES, build_body
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.delivery.request_batch import RequestBatch

PARTITIONS = st.integers(0, 2)
SECONDS = st.sampled_from([60.0, 1.0, 0.3, 0.0])
MAX_BYTES = 700
BY_SEGMENT = {SegmentRejectReason.REFUSED, SegmentRejectReason.TOO_LARGE}
FLUSH_SECONDS = 1.0


class LaneInTheWorld(RuleBasedStateMachine):
    @initialize(records=st.integers(1, 5))
    def begin(self, records: int) -> None:
        limits = LearntLimits(PackingLimits(max_bytes=MAX_BYTES, max_records=records, max_record_bytes=200))
        self.lane = Lane(
            limits=limits,
            flush_interval_seconds=FLUSH_SECONDS,
            breaker=Breaker(BreakerLimits(max_share=1.0)),
            hold_seconds=60.0,
        )
        self.now = 0.0
        self.pause = 0.0
        self.serial = 0
        self.flight: RequestBatch | None = None
        self.storing = False
        self.given: dict[int, list[int]] = defaultdict(list)
        self.accepted: dict[int, list[int]] = defaultdict(list)
        self.taken: set[int] = set()
        self.refused: set[int] = set()
        self.known: set[int] = set()
        self.batches: dict[int, FakeBatch] = {}
        self.serials: dict[int, list[int]] = {}
        self.open: dict[int, set[int]] = defaultdict(set)
        self.leaving: set[int] = set()

    @rule(partition=PARTITIONS, good=st.lists(st.booleans(), min_size=1, max_size=7))
    def accept(self, partition: int, good: list[bool]) -> None:
        serials = list(range(self.serial, self.serial + len(good)))
        self.serial += len(good)
        messages = [
            FakeMessage(value=record(str(serial)) if fine else b"{", partition=partition, offset=serial)
            for serial, fine in zip(serials, good, strict=True)
        ]
        batch = FakeBatch(partition, messages, [])
        self.lane.accept(batch, since=self.now)
        self.batches[id(batch)] = batch
        self.serials[id(batch)] = serials
        self.open[partition].add(id(batch))
        if partition not in self.leaving:
            self.given[partition] += [serial for serial, fine in zip(serials, good, strict=True) if fine]

    @rule(seconds=SECONDS)
    def step(self, seconds: float) -> None:
        self.now += seconds
        action = self.lane.next_action(now=self.now, not_before=self.pause)
        match action:
            case Send(flight=flight):
                assert self.flight is None, "one request in flight"
                assert not self.storing
                assert self.now >= self.pause
                body = build_body(flight.records, sent_at=0.0)
                assert len(body) == flight.body_bytes <= MAX_BYTES
                assert len(body) > ENVELOPE_BYTES
                self.flight = flight
            case Store(letters=letters):
                assert self.flight is None
                assert letters
                refused = {letter.message.offset for letter in letters if letter.reason in BY_SEGMENT}
                assert refused <= self.refused, "only what was refused alone becomes a dead letter"
                self.storing = True
            case Acknowledge(batches=batches):
                for batch in batches:
                    assert set(self.serials[id(batch)]) <= self.known, "settled before it is acknowledged"
                    self.open[batch.partition].remove(id(batch))
            case Wait(until=until):
                assert until > self.now

    @precondition(lambda self: self.flight is not None)
    @rule(decision=st.sampled_from([Done(), Done(), Retry(after_seconds=3.0), Hold(after_seconds=30.0, advice="look")]))
    def answer(self, decision: Done | Retry | Hold) -> None:
        if isinstance(decision, Done):
            self.known |= self.take()
        self.flight = None
        self.lane.answered(decision, now=self.now)

    @precondition(lambda self: self.flight is not None)
    @rule(reason=st.sampled_from([SegmentRejectReason.REFUSED, SegmentRejectReason.TOO_LARGE]))
    def refuse(self, reason: SegmentRejectReason) -> None:
        assert self.flight is not None
        messages = [message for run in self.flight.runs for message in run.messages]
        aboard = [message.offset for run in self.lane.flight.runs for message in run.messages]
        if len(messages) == 1 and aboard:
            self.refused.add(messages[0].offset)
        self.flight = None
        self.lane.answered(Refuse(reason=reason, advice="look"), now=self.now)

    @precondition(lambda self: self.flight is not None)
    @rule()
    def lose_the_answer(self) -> None:
        self.take()
        self.flight = None
        self.lane.answered(Retry(after_seconds=1.0), now=self.now)

    @precondition(lambda self: self.storing)
    @rule()
    def store(self) -> None:
        self.known |= {letter.message.offset for letter in self.lane.flight.letters}
        self.storing = False
        self.lane.stored()

    @precondition(lambda self: self.flight is not None and self.pause < self.now)
    @rule(seconds=SECONDS)
    def pause_all(self, seconds: float) -> None:
        self.pause = max(self.pause, self.now + seconds)

    @precondition(lambda self: any(self.open.values()) and not self.leaving)
    @rule(partitions=st.sets(PARTITIONS, min_size=1, max_size=2))
    def revoke(self, partitions: set[int]) -> None:
        self.lane.withdraw([(TOPIC, number) for number in partitions])
        self.leaving |= partitions

    @precondition(lambda self: self.leaving)
    @rule()
    def give_up(self) -> None:
        names = [(TOPIC, number) for number in self.leaving]
        under_way = self.lane.carries(names) and (self.flight is not None or self.storing)
        assert self.lane.forget(names) == len(self.unsettled(self.leaving))
        if under_way:
            self.flight, self.storing = None, False
            self.lane.interrupted(now=self.now)
        assert not self.lane.carries(names)
        for number in self.leaving:
            self.open[number].clear()
            self.given[number].clear()
            self.accepted[number].clear()
        self.leaving.clear()

    @precondition(lambda self: self.busy)
    @rule(partition=PARTITIONS)
    def lose_a_partition_at_once(self, partition: int) -> None:
        self.revoke({partition})
        self.give_up()

    @property
    def busy(self) -> bool:
        return self.flight is not None or self.storing or self.lane.carries([(TOPIC, number) for number in range(3)])

    def take(self) -> set[int]:
        assert self.flight is not None
        offsets = [message.offset for run in self.flight.runs for message in run.messages]
        for run in self.flight.runs:
            fresh = [message.offset for message in run.messages if message.offset not in self.taken]
            self.accepted[run.held.batch.partition] += fresh
        self.taken |= set(offsets)
        return set(offsets)

    def unsettled(self, partitions: Iterable[int]) -> set[int]:
        given = {serial for number in partitions for each in self.open[number] for serial in self.serials[each]}
        return given - self.known

    @invariant()
    def records_are_accepted_in_the_order_in_which_they_came(self) -> None:
        for partition, accepted in self.accepted.items():
            sendable = [
                serial for serial in self.given[partition] if serial in self.taken or serial not in self.refused
            ]
            assert accepted == sendable[: len(accepted)]

    @invariant()
    def what_is_in_hand_adds_up(self) -> None:
        assert self.lane.records_in_hand == len(self.unsettled(list(self.open)))

    @invariant()
    def nothing_waits_longer_than_the_flush_interval_without_a_reason(self) -> None:
        if self.flight is None and not self.storing and not self.lane.backing_off:
            move_at = self.lane.next_move_at(not_before=self.pause)
            assert move_at == math.inf or move_at <= max(self.now + FLUSH_SECONDS, self.pause)

    def teardown(self) -> None:
        if not hasattr(self, "lane"):
            return
        if self.flight is not None:
            self.answer(Done())
        if self.storing:
            self.store()
        while True:
            self.now = max(self.now, self.pause) + 60.0
            self.step(0.0)
            if self.flight is not None:
                self.answer(Done())
            elif self.storing:
                self.store()
            elif self.lane.next_move_at(not_before=0.0) == math.inf:
                break
        assert self.lane.flight.runs == ()
        assert all(not self.open[number] for number in self.open if number not in self.leaving)


TestLaneInTheWorld = LaneInTheWorld.TestCase
TestLaneInTheWorld.settings = settings(stateful_step_count=60, deadline=None)
