"""Answers that leave open what was accepted: the same records are sent again, and the third in a row holds."""

from __future__ import annotations

import pytest

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.actions import Send, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry, Settled
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import UnclearAnswer
from tests.fakes.destinations import SELECTED
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record

pytestmark = pytest.mark.usefixtures("destination")
UNCLEAR = Retry(after_seconds=1.0, unclear=UnclearAnswer.NOT_WHOLE)
HELD = Hold(after_seconds=1.0, advice="look", unclear=UnclearAnswer.CONTRADICTION)


def lane_with(*records: bytes) -> Lane:
    lane = Lane(
        api=SELECTED,
        limits=LearntLimits(SELECTED.limits),
        flush_interval_seconds=0.0,
        breaker=Breaker(BreakerLimits(max_share=1.0)),
        hold_seconds=1.0,
    )
    messages = [FakeMessage(value=value, offset=offset) for offset, value in enumerate(records)]
    lane.accept(FakeBatch(messages=messages, partition=0, effects=[]), since=0.0)
    return lane


def answered(lane: Lane, *decisions: Settled) -> list[int]:
    """Answer one request after the other; return the count of unclear answers after each."""
    counts, now = [], 0.0
    for decision in decisions:
        now += 100.0
        assert isinstance(lane.next_action(now=now, not_before=0.0), Send)
        lane.answered(decision, now=now)
        counts.append(lane.unclear_answers)
    return counts


def test_unclear_answers_to_a_request_are_counted_while_nothing_comes_between_them() -> None:
    lane = lane_with(record("a"))
    assert answered(lane, UNCLEAR, UNCLEAR, HELD, HELD) == [1, 2, 3, 4]
    assert lane.hold == HELD


@pytest.mark.parametrize(
    "between",
    [
        Retry(after_seconds=1.0),
        Hold(after_seconds=1.0, advice="look"),
        Refuse(reason=DeliveryRejectReason.REFUSED, advice="look"),
    ],
)
def test_a_clear_answer_ends_the_count(between: Settled) -> None:
    assert answered(lane_with(record("a"), record("b")), UNCLEAR, UNCLEAR, between, UNCLEAR) == [1, 2, 0, 1]


def test_an_accepting_answer_ends_the_hold_and_the_count() -> None:
    lane = lane_with(record("a"))
    answered(lane, UNCLEAR, UNCLEAR, HELD, Done())
    assert (lane.unclear_answers, lane.hold) == (0, None)


def test_the_answers_to_a_request_that_was_forgotten_do_not_count_against_the_next() -> None:
    lane = lane_with(record("a"))
    assert answered(lane, UNCLEAR, UNCLEAR) == [1, 2]
    lane.forget([(TOPIC, 0)])
    lane.accept(FakeBatch(messages=[FakeMessage(value=record("b"))], partition=0, effects=[]), since=0.0)
    assert isinstance(lane.next_action(now=500.0, not_before=0.0), Send)
    assert lane.unclear_answers == 0


def test_the_same_records_are_sent_again_after_an_unclear_answer() -> None:
    lane = lane_with(record("a"), record("b"))
    first = lane.next_action(now=0.0, not_before=0.0)
    lane.answered(UNCLEAR, now=0.0)
    assert lane.next_action(now=0.5, not_before=0.0) == Wait(until=1.0)
    again = lane.next_action(now=1.0, not_before=0.0)
    assert isinstance(first, Send)
    assert isinstance(again, Send)
    assert again.request_batch.records == first.request_batch.records
    assert again.attempt == first.attempt + 1
