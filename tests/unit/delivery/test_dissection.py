"""A request batch dissected by a destination that knows which records are bad."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.decisions import RefusedRecord
from pipeline.delivery.dissection import Dissection
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run
from pipeline.kafka.dead_letters import DeadLetter
from pipeline.sinks.segment.api import STAGE
from tests.fakes.destinations import SELECTED
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

pytestmark = pytest.mark.usefixtures("destination")
REFUSED, TOO_LARGE = DeliveryRejectReason.REFUSED, DeliveryRejectReason.TOO_LARGE


def naming(index: int, reason: DeliveryRejectReason) -> dict[int, RefusedRecord]:
    return {index: RefusedRecord(index=index, reason=reason)}


def breaker(max_share: float = 1.0) -> Breaker:
    return Breaker(BreakerLimits(max_share=max_share))


def dissection(request_batch: RequestBatch, breaker: Breaker) -> Dissection:
    return Dissection(request_batch, api=SELECTED, breaker=breaker)


def run_of(partition: int, *offsets: int, letters: tuple[int, ...] = ()) -> Run:
    every = [FakeMessage(value=b"%d" % offset, partition=partition, offset=offset) for offset in (*offsets, *letters)]
    source = BatchInHand(batch=FakeBatch(partition, every, []), since=0.0, size=0, unsettled=len(every))
    messages = every[: len(offsets)]
    return Run(
        source=source,
        records=[message.value or b"" for message in messages],
        messages=messages,
        times=[0.0] * len(messages),
        letters=[
            DeadLetter(stage=STAGE, destination="segment", reason=DeliveryRejectReason.NOT_JSON, message=message)
            for message in every[len(offsets) :]
        ],
    )


def numbers(request_batch: RequestBatch) -> list[int]:
    return [message.offset for run in request_batch.runs for message in run.messages]


def letters_of(rest: Dissection) -> list[tuple[int, str]]:
    return [(letter.message.offset, letter.reason.value) for letter in rest.letters.letters]


@dataclass(slots=True)
class Story:
    accepted: list[int]
    requests: int


def dissected_by(rest: Dissection, bad: set[int], *, reason: StrEnum = REFUSED, most_records: int = 10**9) -> Story:
    """Answer requests until nothing is left to send or the breaker says no."""
    story = Story(accepted=[], requests=0)
    while rest.part.runs and rest.may_go_on():
        story.requests += 1
        sent = numbers(rest.part)
        if len(sent) > most_records:
            rest.refused(TOO_LARGE)
        elif bad & set(sent):
            rest.refused(reason)
        else:
            rest.accepted()
            story.accepted += sent
    return story


def test_halves_are_tried_when_a_request_is_too_large() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(5)), run_of(1, *range(5, 8)))), breaker())
    rest.refused(TOO_LARGE)
    assert numbers(rest.part) == [0, 1, 2, 3]
    assert numbers(rest.accepted()) == [0, 1, 2, 3]
    assert numbers(rest.part) == [4, 5, 6, 7]


def test_a_body_that_was_too_large_is_cured_when_all_of_it_is_accepted_in_smaller_ones() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(10, 18)),)), breaker())
    whole = rest.part.body_bytes(SELECTED.limits)
    rest.refused(TOO_LARGE)
    half = rest.part.body_bytes(SELECTED.limits)
    rest.refused(TOO_LARGE)
    seen = []
    for _ in range(3):
        rest.accepted()
        seen.append(rest.cured_bytes)
    assert (seen, whole > half) == ([None, half, half], True)
    assert numbers(rest.part) == []


def test_a_record_that_is_too_large_alone_explains_the_refusals_before_it() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(64)),)), breaker())
    dissected_by(rest, {37}, reason=TOO_LARGE)
    assert letters_of(rest) == [(37, "too_large")]
    assert rest.cured_bytes is None


def test_a_record_that_an_answer_names_as_too_large_explains_the_refusals_before_it() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(8)),)), breaker())
    rest.refused(TOO_LARGE)
    assert numbers(rest.accepted_in_part(rest.part, naming(2, TOO_LARGE))) == [0, 1, 3]
    rest.accepted()
    assert letters_of(rest) == [(2, "too_large")]
    assert rest.cured_bytes is None


def test_records_that_an_answer_refuses_for_themselves_got_through_what_refuses_sizes() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(8)),)), breaker())
    whole = rest.part.body_bytes(SELECTED.limits)
    rest.refused(TOO_LARGE)
    rest.accepted_in_part(rest.part, naming(2, REFUSED))
    rest.accepted()
    assert rest.cured_bytes == whole


def test_a_record_that_is_refused_for_itself_got_through_what_refuses_sizes() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(10, 18)),)), breaker())
    dissected_by(rest, {12}, most_records=4)
    assert letters_of(rest) == [(12, "refused")]
    assert rest.cured_bytes == RequestBatch(runs=(run_of(0, *range(10, 18)),)).body_bytes(SELECTED.limits)


def test_what_is_given_up_or_tried_again_as_a_whole_cures_nothing() -> None:
    given_up, again = (dissection(RequestBatch(runs=(run_of(0, 1, 2), run_of(1, 3, 4))), breaker()) for _ in range(2))
    for rest in (given_up, again):
        rest.refused(TOO_LARGE)
    given_up.forget([(TOPIC, 0)])
    again.rejoin()
    for rest in (given_up, again):
        while rest.part.runs:
            rest.accepted()
            rest.tidy()
        assert rest.cured_bytes is None


def refuse_both_alone(rest: Dissection) -> None:
    rest.refused(TOO_LARGE)
    rest.refused(TOO_LARGE)


def refuse_both_in_answers_that_name_them(rest: Dissection) -> None:
    rest.accepted_in_part(rest.part, naming(0, TOO_LARGE))
    rest.accepted_in_part(rest.part, naming(0, TOO_LARGE))


def forget_both(rest: Dissection) -> None:
    rest.forget([(TOPIC, 0)])
    rest.tidy()


@pytest.mark.parametrize("lose", [refuse_both_alone, refuse_both_in_answers_that_name_them, forget_both])
def test_records_that_never_pass_are_not_counted_as_passed_when_others_do(lose: Callable[[Dissection], None]) -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 1, 2), run_of(1, 10, 11))), breaker())
    rest.refused(TOO_LARGE)
    rest.refused(TOO_LARGE)
    assert numbers(rest.part) == [1]
    lose(rest)
    assert numbers(rest.part) == [10, 11]
    size = rest.part.body_bytes(SELECTED.limits)
    rest.refused(TOO_LARGE)
    rest.accepted()
    rest.accepted()
    assert rest.cured_bytes == size, "only this body is known to be refused for its size"


def test_a_part_of_exactly_the_limit_is_not_cut() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 1, 2, 3, 4),)), breaker())
    rest.cut(rest.part.body_bytes(SELECTED.limits))
    assert numbers(rest.part) == [1, 2, 3, 4]


def test_records_that_are_accepted_beside_refused_ones_make_the_verdicts_before_them_final() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(12)),)), breaker())
    for _ in range(5):
        rest.refused(REFUSED)
    assert numbers(rest.accepted_in_part(rest.part, naming(0, REFUSED))) == [4, 5]
    rest.rejoin()
    assert letters_of(rest) == [(0, "refused"), (1, "refused"), (2, "refused")]
    assert numbers(rest.part)[0] == 3


def test_the_next_part_is_cut_to_a_limit_and_keeps_its_order() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(10, 15)), run_of(1, *range(15, 20)))), breaker())
    limit = RequestBatch(runs=(run_of(0, *range(10, 14)),)).body_bytes(SELECTED.limits)
    parts = []
    while rest.part.runs:
        rest.cut(limit)
        assert rest.part.body_bytes(SELECTED.limits) <= limit
        parts.append(numbers(rest.accepted()))
    assert parts == [[10, 11, 12], [13, 14], [15, 16, 17], [18, 19]]


def test_one_record_is_not_cut() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 1, 2),)), breaker())
    rest.cut(1)
    assert numbers(rest.part) == [1]


def test_quarters_are_tried_when_a_record_is_at_fault() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(9)),)), breaker())
    rest.refused(REFUSED)
    assert numbers(rest.part) == [0, 1, 2]


def test_the_bad_record_stands_alone_and_the_others_are_accepted_in_order() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(100)), run_of(1, *range(100, 200)))), breaker())
    story = dissected_by(rest, {7, 150})
    assert story.accepted == [number for number in range(200) if number not in {7, 150}]
    assert letters_of(rest) == [(7, "refused"), (150, "refused")]
    assert (rest.bad, rest.unsettled, rest.dissected) == (2, 2, True)


def test_a_record_that_is_too_large_alone_is_named_so() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 1),)), breaker())
    rest.refused(TOO_LARGE)
    assert letters_of(rest) == [(1, "too_large")]


def test_dead_letters_of_a_batch_stand_in_the_order_of_their_offsets() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 1, 2, 3, letters=(0, 9)),)), breaker())
    dissected_by(rest, {2})
    assert letters_of(rest) == [(0, "not_json"), (2, "refused"), (9, "not_json")]


def test_a_request_batch_of_letters_has_nothing_to_send() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, letters=(0, 1)),)), breaker())
    assert (rest.part.runs, rest.bad, rest.unsettled) == ((), 2, 2)


def test_verdicts_can_be_taken_back_while_nothing_behind_them_is_accepted() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(8), letters=(8,)),)), breaker())
    for _ in range(4):
        rest.refused(REFUSED)
    assert letters_of(rest) == [(0, "refused"), (1, "refused"), (8, "not_json")]
    rest.rejoin()
    assert numbers(rest.part) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert letters_of(rest) == [(8, "not_json")]
    assert rest.unsettled == 9


def test_a_verdict_is_final_once_something_behind_it_is_accepted() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(8), letters=(8,)),)), breaker())
    for _ in range(3):
        rest.refused(REFUSED)
    assert numbers(rest.accepted()) == [1]
    rest.refused(REFUSED)
    rest.refused(REFUSED)
    rest.rejoin()
    assert numbers(rest.part) == [2, 3, 4, 5, 6, 7]
    assert letters_of(rest) == [(0, "refused"), (8, "not_json")]
    rest.forget([(TOPIC, 0)])
    rest.rejoin()
    assert (rest.part.runs, rest.bad) == ((), 0)


def test_what_one_request_batch_has_reserved_another_may_not_use() -> None:
    shared = breaker(max_share=0.0)
    first = dissection(RequestBatch(runs=(run_of(0, *range(10)),)), shared)
    dissected_by(first, set(range(6)))
    second = dissection(RequestBatch(runs=(run_of(1, *range(20, 30)),)), shared)
    assert len(dissected_by(second, set(range(20, 30))).accepted) == 0
    assert second.bad == 5
    second.rejoin()
    assert first.may_be_stored()
    assert letters_of(second) == []
    third = dissection(RequestBatch(runs=(run_of(2, letters=tuple(range(4))),)), shared)
    assert third.may_be_stored()
    assert not dissection(RequestBatch(runs=(run_of(2, letters=(9,)),)), shared).may_be_stored()


def test_what_is_forgotten_is_reserved_no_more() -> None:
    shared = breaker(max_share=0.0)
    first = dissection(RequestBatch(runs=(run_of(0, *range(10)),)), shared)
    dissected_by(first, set(range(10)))
    first.forget([(TOPIC, 0)])
    assert dissection(RequestBatch(runs=(run_of(2, letters=tuple(range(10))),)), shared).may_be_stored()


def test_nothing_is_sent_again_that_stands_before_what_is_accepted_already() -> None:
    shared = breaker(max_share=0.0)
    rest = dissection(RequestBatch(runs=(run_of(0, *range(8)),)), shared)
    for _ in range(4):
        rest.refused(REFUSED)  # the request batch, its first quarter, and both records of that
    while rest.part.runs:
        assert rest.may_go_on()
        rest.accepted()
    shared.note(records=100, bad=9)  # another lane's dead letters, between the last answer and the question
    if not rest.may_be_stored():
        rest.rejoin()
    assert numbers(rest.part) == []


def test_what_is_forgotten_gets_no_verdict() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 0, letters=(9,)), run_of(1, 1, 2), run_of(0, 3))), breaker())
    rest.refused(REFUSED)
    rest.refused(REFUSED)
    assert rest.carries([(TOPIC, 0)])
    rest.forget([(TOPIC, 0)])
    assert not rest.carries([(TOPIC, 0)])
    story = dissected_by(rest, {1})
    assert (story.accepted, letters_of(rest)) == ([2], [(1, "refused")])


def test_the_part_in_flight_stays_first_when_nothing_is_left_of_it() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 0), run_of(1, 1))), breaker())
    rest.refused(REFUSED)
    rest.forget([(TOPIC, 0)])
    assert rest.part.runs == ()
    assert rest.accepted().runs == ()
    assert numbers(rest.part) == [1]


def test_a_verdict_is_final_though_what_was_accepted_behind_it_was_forgotten_meanwhile() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 0), run_of(1, 1), run_of(0, 2))), breaker())
    rest.refused(REFUSED)
    rest.refused(REFUSED)
    rest.forget([(TOPIC, 1)])
    assert rest.accepted().runs == ()
    rest.rejoin()
    assert (numbers(rest.part), letters_of(rest)) == ([2], [(0, "refused")])


def test_a_verdict_that_was_final_for_a_forgotten_partition_makes_no_other_one_final() -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, 0), run_of(1, 1, 2, 3))), breaker())
    rest.refused(REFUSED)
    rest.refused(REFUSED)
    assert numbers(rest.accepted()) == [1]
    rest.forget([(TOPIC, 0)])
    rest.refused(REFUSED)
    assert letters_of(rest) == [(2, "refused")]
    rest.rejoin()
    assert numbers(rest.part) == [2, 3]
    assert letters_of(rest) == []


def test_the_breaker_is_told_of_every_record_of_a_request_batch_once() -> None:
    shared = breaker()
    dissected_by(rest := dissection(RequestBatch(runs=(run_of(0, 0, 1, 2, letters=(9,)),)), shared), {1})
    assert rest.may_be_stored()
    assert rest.may_be_stored()
    assert shared.share == 2 / 4
    dissection(RequestBatch(runs=(run_of(0, *range(4)),)), shared).accepted()
    assert shared.share == 2 / 8


def test_what_the_breaker_has_allowed_is_not_asked_again() -> None:
    asked = breaker(max_share=0.0)
    rest = dissection(RequestBatch(runs=(run_of(0, letters=tuple(range(10))),)), asked)
    assert rest.may_be_stored()
    other = dissection(RequestBatch(runs=(run_of(0, letters=(10,)),)), asked)
    assert not other.may_be_stored()
    assert rest.may_be_stored()


def test_an_accepted_request_batch_is_told_to_the_breaker() -> None:
    asked = breaker(max_share=0.05)
    dissection(RequestBatch(runs=(run_of(0, *range(1_000)),)), asked).accepted()
    assert asked.allows(records=11, bad=11)
    assert not asked.allows(records=100, bad=56)


@pytest.mark.parametrize(("reason", "most"), [(REFUSED, 184), (TOO_LARGE, 209)])
def test_a_batch_of_2500_that_is_wholly_bad_costs_at_most_209_requests(reason: StrEnum, most: int) -> None:
    rest = dissection(RequestBatch(runs=(run_of(0, *range(2_500)),)), breaker(max_share=0.05))
    story = dissected_by(rest, set(range(2_500)), reason=reason)
    assert rest.bad == 126
    assert story.requests <= most
    assert story.accepted == []


def test_one_bad_record_among_2500_costs_at_most_24_requests() -> None:
    worst = 0
    for bad in range(0, 2_500, 37):
        rest = dissection(RequestBatch(runs=(run_of(0, *range(2_500)),)), breaker(max_share=0.05))
        worst = max(worst, dissected_by(rest, {bad}).requests)
        assert letters_of(rest) == [(bad, "refused")]
    assert worst <= 24


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bad_records_are_found_alone_and_in_order_within_the_bound(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    total = sum(sizes)
    bad = data.draw(st.sets(st.integers(0, total - 1)))
    most_records = data.draw(st.sampled_from([1, 3, 10, 10**9]))
    first, runs = 0, []
    for number, size in enumerate(sizes):
        runs.append(run_of(number, *range(first, first + size)))
        first += size
    rest = dissection(RequestBatch(runs=tuple(runs)), breaker())
    story = dissected_by(rest, bad, most_records=most_records)
    assert story.accepted == [number for number in range(total) if number not in bad]
    assert [number for number, _ in letters_of(rest)] == sorted(bad)
    if most_records == 10**9:
        depth = math.ceil(math.log(total, 4)) if total > 1 else 0
        assert story.requests <= 1 + 4 * depth * len(bad)
