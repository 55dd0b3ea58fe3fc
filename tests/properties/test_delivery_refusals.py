"""Refusals that come and go, a breaker that changes its answer, partitions that are revoked: order and sums hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, RefusedRecord, Retry
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from tests.fakes.destinations import with_every_api
from tests.fakes.moody_breaker import MoodyBreaker
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.delivery.actions import Action
    from pipeline.delivery.api import Api
    from pipeline.delivery.decisions import Settled

PARTITIONS: Final = 2
RECORDS: Final = 9
EXAMPLES: Final = 600
"""As many as it takes to reach a verdict that cannot be withdrawn any more."""
HOLD_SECONDS: Final = 60.0
TAKEN, BAD, TOO_LARGE = Done(), DeliveryRejectReason.REFUSED, DeliveryRejectReason.TOO_LARGE
LOST: Final = Retry(after_seconds=1.0)
"""The destination accepted the records, and its answer was lost."""

Position: TypeAlias = tuple[int, int]
"""Partition and offset."""


def in_part(indexes: Sequence[int]) -> Done:
    """Build an answer that accepts all records except some; an index may be repeated."""
    return Done(refused=tuple(RefusedRecord(index=index, reason=BAD) for index in indexes))


class Turn(NamedTuple):
    """The outcome of one request, and what else happens while it is under way."""

    decision: Settled
    breaker_says_no: bool
    given_up: int | None


TURNS: Final = st.lists(
    st.builds(
        Turn,
        st.sampled_from(
            [
                *[TAKEN] * 4,
                LOST,
                Hold(after_seconds=5.0, advice="look"),
                *[Refuse(reason=BAD, advice="look")] * 6,
                Refuse(reason=TOO_LARGE, advice="look"),
            ]
        )
        | st.lists(st.integers(0, RECORDS - 1), min_size=1, max_size=RECORDS).map(in_part),
        st.sampled_from([False, False, True]),
        st.sampled_from([None] * 15 + list(range(PARTITIONS))),
    ),
    max_size=25,
)
WELL: Final = Turn(TAKEN, breaker_says_no=False, given_up=None)


@dataclass(slots=True)
class Scenario:
    """A lane, its records, and what has become of them."""

    lane: Lane
    breaker: MoodyBreaker
    turns: list[Turn]
    now: float = 0.0
    given: set[Position] = field(default_factory=set)
    accepted: list[Position] = field(default_factory=list)
    late: list[Position] = field(default_factory=list)
    turned_down: set[Position] = field(default_factory=set)
    refused_by_itself: set[Position] = field(default_factory=set)
    stored: set[Position] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)

    def give(self, partition: int, records: int) -> None:
        messages = [
            FakeMessage(value=record(f"{partition}-{offset}"), partition=partition, offset=offset)
            for offset in range(records)
        ]
        self.lane.accept(FakeBatch(partition, messages, []), since=self.now)
        self.given |= {(partition, offset) for offset in range(records)}

    def play(self) -> None:
        while True:
            action = self.lane.next_action(now=self.now, not_before=0.0)
            if isinstance(action, Wait):
                if action.until == float("inf"):
                    return
                self.now = action.until
            else:
                self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Send(request_batch=request_batch):
                self._answer(
                    [(run.source.batch.partition, each.offset) for run in request_batch.runs for each in run.messages]
                )
            case Store(letters=letters):
                positions = {(letter.message.partition, letter.message.offset) for letter in letters}
                assert positions <= self.refused_by_itself, "only what was refused by itself becomes a dead letter"
                assert len(letters) <= self.breaker.granted, "the breaker is asked first"
                self.stored |= positions
                self.lane.stored()
            case Acknowledge(batches=batches):
                self.acknowledged |= {batch.partition for batch in batches}
            case Wait():
                raise AssertionError("nothing to do")

    def _answer(self, sent: list[Position]) -> None:
        assert not self.stored & set(sent), "what is stored is not sent any more"
        turn = self.turns.pop(0) if self.turns else WELL
        self.breaker.says_no = turn.breaker_says_no
        if turn.given_up is not None and self._give_up(turn.given_up, sent):
            return
        decision = turn.decision
        if isinstance(decision, Done):
            decision = in_part([record.index % len(sent) for record in decision.refused])
            refused = {sent[record.index] for record in decision.refused}
            self.refused_by_itself |= refused
            self.turned_down |= refused.difference(self.accepted, self.late)
            self._accept([position for position in sent if position not in refused])
        if decision == LOST:
            self._accept(sent)
        if isinstance(turn.decision, Refuse) and len(sent) == 1:
            self.refused_by_itself |= set(sent)
        self.lane.answered(decision, now=self.now)

    def _accept(self, positions: list[Position]) -> None:
        """Let the destination accept records. Those that it had refused in part are late, and counted separately."""
        fresh = [position for position in positions if position not in self.accepted]
        self.accepted += [position for position in fresh if position not in self.turned_down]
        self.late += [position for position in fresh if position in self.turned_down]

    def _give_up(self, partition: int, sent: list[Position]) -> bool:
        """Revoke a partition; return whether the request was cancelled."""
        self.lane.forget([(TOPIC, partition)])
        self.given = {position for position in self.given if position[0] != partition}
        if not any(position[0] == partition for position in sent):
            return False
        self.lane.interrupted(now=self.now)
        return True


REFUSED: Final = Turn(Refuse(reason=BAD, advice="look"), breaker_says_no=False, given_up=None)


@with_every_api
@settings(max_examples=max(EXAMPLES, settings().max_examples))
@example(  # the second record is accepted, its answer is lost, and then it is refused while the breaker says no
    sizes=[2, 1], most=2, turns=[REFUSED, REFUSED, WELL._replace(decision=LOST), REFUSED._replace(breaker_says_no=True)]
)
@example(  # the first record is refused together with the second, the breaker says no, and alone it is accepted
    sizes=[2, 1], most=2, turns=[WELL._replace(decision=in_part([0]), breaker_says_no=True)]
)
@given(
    sizes=st.lists(st.integers(1, RECORDS), min_size=PARTITIONS, max_size=PARTITIONS),
    most=st.integers(1, RECORDS),
    turns=TURNS,
)
def test_whatever_is_refused_and_held_is_settled_once_and_in_order_when_it_ends(
    api: Api, sizes: list[int], most: int, turns: list[Turn]
) -> None:
    breaker = MoodyBreaker()
    lane = Lane(
        api=api,
        limits=LearntLimits(replace(api.limits, max_bytes=10_000, max_records=most, max_record_bytes=1_000)),
        flush_interval_seconds=1.0,
        breaker=breaker,
        hold_seconds=HOLD_SECONDS,
    )
    scenario = Scenario(lane, breaker, list(turns))
    for partition, records in enumerate(sizes):
        scenario.give(partition, records)
    scenario.play()
    for partition in range(PARTITIONS):
        offsets = [offset for number, offset in scenario.accepted if number == partition]
        assert offsets == sorted(offsets), "first accepted in order"
    assert scenario.given <= scenario.stored | {*scenario.accepted, *scenario.late}
    assert {partition for partition, _ in scenario.given} <= scenario.acknowledged
    assert lane.hold is None
    assert lane.records_in_hand == breaker.reserved == 0
