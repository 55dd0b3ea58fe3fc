"""A lane in a simulated world: any traffic, answers and revocations; promises 1, 3 and 4 hold after each step."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, RefusedRecord, Retry
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from tests.fakes.destinations import APIS
from tests.fakes.moody_breaker import MoodyBreaker
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from enum import StrEnum

    from pipeline.delivery.api import Api
    from pipeline.delivery.request_batch import RequestBatch

PARTITIONS = st.integers(0, 2)
SECONDS = st.sampled_from([60.0, 1.0, 0.3, 0.0])
MAX_BYTES = 700
BY_THE_DESTINATION = {DeliveryRejectReason.REFUSED, DeliveryRejectReason.TOO_LARGE}
FLUSH_SECONDS = 1.0
MOST_STEPS_TO_REST = 2_000
"""Teardown also runs after a failed step, when lane and model disagree. Without a bound it would then never end."""


class LaneInTheWorld(RuleBasedStateMachine):
    api: Api

    @initialize(records=st.integers(1, 5))
    def begin(self, records: int) -> None:
        limits = replace(self.api.limits, max_bytes=MAX_BYTES, max_records=records, max_record_bytes=200)
        self.breaker = MoodyBreaker()
        self.lane = Lane(
            api=self.api,
            limits=LearntLimits(limits),
            flush_interval_seconds=FLUSH_SECONDS,
            breaker=self.breaker,
            hold_seconds=60.0,
        )
        self.now = 0.0
        self.pause = 0.0
        self.serial = 0
        self.request_batch: RequestBatch | None = None
        self.storing = False
        self.given: dict[int, list[int]] = defaultdict(list)
        self.accepted: dict[int, list[int]] = defaultdict(list)
        self.taken: set[int] = set()
        self.refused: set[int] = set()
        self.turned_down: set[int] = set()
        self.final: set[int] = set()
        self.stored = 0
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
            case Send(request_batch=request_batch):
                assert self.request_batch is None, "one request under way"
                assert not self.storing
                assert self.now >= self.pause
                body = self.api.build_body(request_batch.records, sent_at=0.0)
                assert len(body) == request_batch.body_bytes(self.api.limits) <= MAX_BYTES
                assert not self.final & {message.offset for run in request_batch.runs for message in run.messages}
                assert len(body) > self.api.limits.envelope_bytes
                self.request_batch = request_batch
            case Store(letters=letters):
                assert self.request_batch is None
                assert letters
                refused = {letter.message.offset for letter in letters if letter.reason in BY_THE_DESTINATION}
                assert refused <= self.refused, "only what was refused by itself becomes a dead letter"
                assert self.stored + len(letters) <= self.breaker.granted, "the breaker is asked first"
                self.storing = True
            case Acknowledge(batches=batches):
                for batch in batches:
                    assert set(self.serials[id(batch)]) <= self.known, "settled before it is acknowledged"
                    self.open[batch.partition].remove(id(batch))
            case Wait(until=until):
                assert until > self.now

    @precondition(lambda self: self.request_batch is not None)
    @rule(decision=st.sampled_from([Done(), Done(), Retry(after_seconds=3.0), Hold(after_seconds=30.0, advice="look")]))
    def answer(self, decision: Done | Retry | Hold) -> None:
        if isinstance(decision, Done):
            self.known |= self.take()
        self.request_batch = None
        self.lane.answered(decision, now=self.now)

    @precondition(lambda self: self.request_batch is not None)
    @rule(chosen=st.sets(st.integers(0, 4), min_size=1), twice=st.booleans(), allowed=st.booleans())
    def accept_in_part(self, *, chosen: set[int], twice: bool, allowed: bool) -> None:
        assert self.request_batch is not None
        messages = [message for run in self.request_batch.runs for message in run.messages]
        indexes = sorted(index for index in chosen if index < len(messages))
        refused = {messages[index].offset for index in indexes}
        self.turned_down |= refused - self.taken
        self.refused |= refused  # also one that was accepted before, in an answer that was lost
        rows = [RefusedRecord(index=index, reason=DeliveryRejectReason.REFUSED) for index in indexes]
        accepted = self.take(without=indexes)
        self.known |= accepted
        self.breaker.says_no = not allowed
        self.request_batch = None
        was_accepted = self.lane.answered(Done(refused=tuple(rows * (1 + twice))), now=self.now)
        assert {message.offset for run in was_accepted.runs for message in run.messages} == accepted
        assert allowed or not indexes or self.lane.hold is not None, "without the breaker's consent the lane holds"
        if allowed:
            self.final |= refused

    @rule(says_no=st.booleans())
    def change_the_breakers_mind(self, *, says_no: bool) -> None:
        self.breaker.says_no = says_no

    @precondition(lambda self: self.request_batch is not None)
    @rule(reason=st.sampled_from([DeliveryRejectReason.REFUSED, DeliveryRejectReason.TOO_LARGE]))
    def refuse(self, reason: StrEnum) -> None:
        assert self.request_batch is not None
        messages = [message for run in self.request_batch.runs for message in run.messages]
        under_way = [message.offset for run in self.lane.request_batch.runs for message in run.messages]
        if len(messages) == 1 and under_way:
            self.refused.add(messages[0].offset)
        self.request_batch = None
        self.lane.answered(Refuse(reason=reason, advice="look"), now=self.now)

    @precondition(lambda self: self.request_batch is not None)
    @rule()
    def lose_the_answer(self) -> None:
        self.take()
        self.request_batch = None
        self.lane.answered(Retry(after_seconds=1.0), now=self.now)

    @precondition(lambda self: self.storing)
    @rule()
    def store(self) -> None:
        self.known |= {letter.message.offset for letter in self.lane.request_batch.letters}
        self.stored += len(self.lane.request_batch.letters)
        self.storing = False
        self.lane.stored()

    @precondition(lambda self: self.request_batch is not None and self.pause < self.now)
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
        under_way = self.lane.carries(names) and (self.request_batch is not None or self.storing)
        assert self.lane.forget(names) == len(self.unsettled(self.leaving))
        if under_way:
            self.request_batch, self.storing = None, False
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
        return (
            self.request_batch is not None
            or self.storing
            or self.lane.carries([(TOPIC, number) for number in range(3)])
        )

    def take(self, without: Sequence[int] = ()) -> set[int]:
        """Let the destination accept what is under way. Records that it had refused in part are late: not counted."""
        assert self.request_batch is not None
        messages = [message for run in self.request_batch.runs for message in run.messages]
        offsets = {message.offset for index, message in enumerate(messages) if index not in without}
        for message in messages:
            if message.offset in offsets - self.taken - self.turned_down:
                self.accepted[message.partition].append(message.offset)
        self.taken |= offsets
        return offsets

    def unsettled(self, partitions: Iterable[int]) -> set[int]:
        given = {serial for number in partitions for each in self.open[number] for serial in self.serials[each]}
        return given - self.known

    @invariant()
    def records_are_accepted_in_the_order_in_which_they_came(self) -> None:
        for partition, accepted in self.accepted.items():
            sendable = [
                serial
                for serial in self.given[partition]
                if serial not in self.turned_down and (serial in self.taken or serial not in self.refused)
            ]
            assert accepted == sendable[: len(accepted)]

    @invariant()
    def what_is_in_hand_adds_up(self) -> None:
        assert self.lane.records_in_hand == len(self.unsettled(list(self.open)))

    @invariant()
    def nothing_waits_longer_than_the_flush_interval_without_a_reason(self) -> None:
        if self.request_batch is None and not self.storing and not self.lane.backing_off:
            move_at = self.lane.next_move_at(not_before=self.pause)
            assert move_at == math.inf or move_at <= max(self.now + FLUSH_SECONDS, self.pause)

    def teardown(self) -> None:
        if not hasattr(self, "lane"):
            return
        if self.request_batch is not None:
            self.answer(Done())
        if self.storing:
            self.store()
        self.breaker.says_no = False
        for _ in range(MOST_STEPS_TO_REST):
            self.now = max(self.now, self.pause) + 60.0
            self.step(0.0)
            if self.request_batch is not None:
                self.answer(Done())
            elif self.storing:
                self.store()
            elif self.lane.next_move_at(not_before=0.0) == math.inf:
                break
        else:
            pytest.fail("the lane does not come to rest")
        assert self.lane.request_batch.runs == ()
        assert all(not self.open[number] for number in self.open if number not in self.leaving)


class LaneToSegment(LaneInTheWorld):
    api = APIS["segment"]


class LaneToTheSecondDestination(LaneInTheWorld):
    api = APIS["array"]


TestLaneToSegment = LaneToSegment.TestCase
TestLaneToSegment.settings = settings(stateful_step_count=60, deadline=None)
TestLaneToTheSecondDestination = LaneToTheSecondDestination.TestCase
TestLaneToTheSecondDestination.settings = settings(stateful_step_count=60, deadline=None)
