"""A destination that accepts smaller requests than the settings allow: learnt in a few steps, for all lanes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Refuse, Retry
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from tests.fakes.destinations import with_every_api
from tests.fakes.segment import FakeBatch, FakeMessage, record_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pipeline.delivery.api import Api

MAX_BYTES = 20_000
LARGEST = 900
TOO_LARGE = Refuse(reason=DeliveryRejectReason.TOO_LARGE, advice="look")
LANES = 2
SIZES = st.lists(st.integers(190, LARGEST), min_size=1, max_size=90)


class Way:
    """Lanes to a destination that accepts bodies up to a size, and never a poison record; some answers get lost."""

    def __init__(self, api: Api, most_bytes: int, lost: list[bool]) -> None:
        self.api = api
        self.learnt = LearntLimits(replace(api.limits, max_bytes=MAX_BYTES, max_records=99, max_record_bytes=LARGEST))
        self.lanes = [
            Lane(
                api=api,
                limits=self.learnt,
                flush_interval_seconds=1.0,
                breaker=Breaker(BreakerLimits(max_share=1.0)),
                hold_seconds=60.0,
            )
            for _ in range(LANES)
        ]
        self.poison: frozenset[int] = frozenset()
        self.accepted: list[list[int]] = [[] for _ in range(LANES)]
        self.stored: set[int] = set()
        self.refused: list[int] = []
        self._most_bytes = most_bytes
        self._lost = lost
        self._serial = 0
        self._now = 0.0

    def carry(self, sizes: list[int], *, poisoned: AbstractSet[int] = frozenset()) -> list[list[int]]:
        """Send records of these sizes through each lane; return their numbers, lane by lane."""
        given: list[list[int]] = []
        for number, lane in enumerate(self.lanes):
            given.append(list(range(self._serial, self._serial + len(sizes))))
            self._serial += len(sizes)
            self.poison |= {given[-1][index % len(sizes)] for index in poisoned}
            messages = [
                FakeMessage(value=record_of(size, f"m-{serial}"), partition=number, offset=serial)
                for size, serial in zip(sizes, given[-1], strict=True)
            ]
            lane.accept(FakeBatch(number, messages, []), since=self._now)
        moved = LANES
        while moved:  # the lanes take turns: each has a request under way when another one learns
            moved = sum(map(self._step, range(LANES)))
        return given

    def _step(self, number: int) -> bool:
        lane = self.lanes[number]
        match action := lane.next_action(now=self._now, not_before=0.0):
            case Send(request_batch=request_batch, attempt=attempt):
                numbers = [message.offset for run in request_batch.runs for message in run.messages]
                assert attempt > 1 or request_batch.body_bytes(self.api.limits) <= self.learnt.max_bytes
                self._answer(lane, self.accepted[number], numbers, request_batch.body_bytes(self.api.limits))
            case Store(letters=letters):
                self.stored |= {letter.message.offset for letter in letters}
                lane.stored()
            case Wait(until=until):
                self._now = max(self._now, min(until, self._now + 2.0))
            case Acknowledge():
                pass
        return not isinstance(action, Wait) or action.until != float("inf")

    def _answer(self, lane: Lane, accepted: list[int], numbers: list[int], body_bytes: int) -> None:
        if self.poison & set(numbers) or body_bytes > self._most_bytes:
            self.refused.append(len(numbers))
            lane.answered(TOO_LARGE, now=self._now)
            return
        accepted += [each for each in numbers if each not in accepted]
        lost = self._lost.pop() if self._lost else False
        lane.answered(Retry(after_seconds=1.0) if lost else Done(), now=self._now)


@with_every_api
@given(
    first=SIZES,
    later=SIZES,
    most_bytes=st.integers(LARGEST + 100, MAX_BYTES),
    lost=st.lists(st.booleans(), max_size=20),
)
def test_a_size_is_learnt_in_a_few_steps_and_nothing_is_lost_or_out_of_order(
    api: Api, first: list[int], later: list[int], most_bytes: int, lost: list[bool]
) -> None:
    way = Way(api, most_bytes, list(lost))
    given_first = way.carry(first)
    refused, learnt = len(way.refused), way.learnt.max_bytes
    given_later = way.carry(later)
    assert way.accepted == [[*before, *after] for before, after in zip(given_first, given_later, strict=True)]
    assert way.stored == set()
    assert way.learnt.max_bytes >= max(most_bytes // 2, way.learnt.in_force.least_bytes)
    assert len(way.refused) == refused or learnt > most_bytes, "what is learnt is not refused any more"


@with_every_api
@given(sizes=SIZES, poisoned=st.sets(st.integers(0, 89), min_size=1, max_size=4))
def test_records_that_are_refused_alone_become_dead_letters_and_teach_nothing(
    api: Api, sizes: list[int], poisoned: set[int]
) -> None:
    way = Way(api, MAX_BYTES, [])
    given_all = way.carry(sizes, poisoned=poisoned)
    assert way.learnt.max_bytes == MAX_BYTES
    assert way.stored == way.poison
    assert way.accepted == [[each for each in lane if each not in way.poison] for lane in given_all]
