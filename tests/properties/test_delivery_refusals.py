"""Refusals that come and go, a breaker that changes its mind, partitions that are taken away: order and sums hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.delivery.lane import Lane
from pipeline.delivery.packing import LearntLimits, PackingLimits
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record

if TYPE_CHECKING:
    from pipeline.delivery.actions import Action
    from pipeline.delivery.decisions import Decision

PARTITIONS: Final = 2
RECORDS: Final = 9
EXAMPLES: Final = 600
"""As many as it takes to meet a verdict that may not be taken back any more."""
HOLD_SECONDS: Final = 60.0
TAKEN, BAD, TOO_LARGE = Done(), SegmentRejectReason.REFUSED, SegmentRejectReason.TOO_LARGE
LOST: Final = Retry(after_seconds=1.0)
"""Segment took the records, and its answer was lost."""

Place: TypeAlias = tuple[int, int]
"""Partition and offset."""


class Turn(NamedTuple):
    """What comes of one request, and what else happens while it is under way."""

    decision: Decision
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
        ),
        st.sampled_from([False, False, True]),
        st.sampled_from([None] * 15 + list(range(PARTITIONS))),
    ),
    max_size=25,
)
WELL: Final = Turn(TAKEN, breaker_says_no=False, given_up=None)


class MoodyBreaker(Breaker):
    """Says no whenever it is told to: what other lanes bring can turn its answer at any moment."""

    def __init__(self) -> None:
        super().__init__(BreakerLimits(max_share=1.0))
        self.says_no = False
        self.granted = 0

    def allows(self, *, records: int, bad: int, own: int = 0) -> bool:
        if self.says_no and bad:
            return False
        self.granted = max(self.granted, bad)
        return super().allows(records=records, bad=bad, own=own)

    @property
    def reserved(self) -> int:
        return self._reserved


@dataclass(slots=True)
class Story:
    """A lane, what it was given, and what has become of it."""

    lane: Lane
    breaker: MoodyBreaker
    turns: list[Turn]
    now: float = 0.0
    given: set[Place] = field(default_factory=set)
    accepted: list[Place] = field(default_factory=list)
    refused_alone: set[Place] = field(default_factory=set)
    stored: set[Place] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)

    def give(self, partition: int, records: int) -> None:
        messages = [
            FakeMessage(value=record(f"{partition}/{offset}"), partition=partition, offset=offset)
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
            case Send(flight=flight):
                self._answer([(run.held.batch.partition, each.offset) for run in flight.runs for each in run.messages])
            case Store(letters=letters):
                places = {(letter.message.partition, letter.message.offset) for letter in letters}
                assert places <= self.refused_alone, "only what was refused alone becomes a dead letter"
                assert len(letters) <= self.breaker.granted, "the breaker is asked first"
                self.stored |= places
                self.lane.stored()
            case Acknowledge(batches=batches):
                self.acknowledged |= {batch.partition for batch in batches}
            case Wait():
                raise AssertionError("nothing to do")

    def _answer(self, sent: list[Place]) -> None:
        assert not self.stored & set(sent), "what is stored is not sent any more"
        turn = self.turns.pop(0) if self.turns else WELL
        self.breaker.says_no = turn.breaker_says_no
        if turn.given_up is not None and self._give_up(turn.given_up, sent):
            return
        if turn.decision in (TAKEN, LOST):
            self.accepted += [place for place in sent if place not in self.accepted]
        if isinstance(turn.decision, Refuse) and len(sent) == 1:
            self.refused_alone |= set(sent)
        self.lane.answered(turn.decision, now=self.now)

    def _give_up(self, partition: int, sent: list[Place]) -> bool:
        """Take a partition away; tell whether the request was taken off the wire."""
        self.lane.forget([(TOPIC, partition)])
        self.given = {place for place in self.given if place[0] != partition}
        if not any(place[0] == partition for place in sent):
            return False
        self.lane.interrupted(now=self.now)
        return True


REFUSED: Final = Turn(Refuse(reason=BAD, advice="look"), breaker_says_no=False, given_up=None)


@settings(max_examples=max(EXAMPLES, settings().max_examples))
@example(  # the second record is taken, its answer is lost, and then it is refused while the breaker says no
    [2, 1], 2, [REFUSED, REFUSED, WELL._replace(decision=LOST), REFUSED._replace(breaker_says_no=True)]
)
@given(st.lists(st.integers(1, RECORDS), min_size=PARTITIONS, max_size=PARTITIONS), st.integers(1, RECORDS), TURNS)
def test_whatever_is_refused_and_held_is_settled_once_and_in_order_when_it_ends(
    sizes: list[int], most: int, turns: list[Turn]
) -> None:
    breaker = MoodyBreaker()
    lane = Lane(
        limits=LearntLimits(PackingLimits(max_bytes=10_000, max_records=most, max_record_bytes=1_000)),
        flush_interval_seconds=1.0,
        breaker=breaker,
        hold_seconds=HOLD_SECONDS,
    )
    story = Story(lane, breaker, turns)
    for partition, records in enumerate(sizes):
        story.give(partition, records)
    story.play()
    for partition in range(PARTITIONS):
        offsets = [offset for number, offset in story.accepted if number == partition]
        assert offsets == sorted(offsets), "first accepted in order"
    assert story.given <= story.stored | set(story.accepted)
    assert {partition for partition, _ in story.given} <= story.acknowledged
    assert lane.hold is None
    assert lane.records_in_hand == breaker.reserved == 0
