from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.delivery.actions import Acknowledge, Action, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION
from tests.fakes.destinations import SELECTED, limits_of
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage, record, record_of

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("destination")
REFUSE = Refuse(reason=DeliveryRejectReason.REFUSED, advice="Segment answered 400: look")
TOO_LARGE = Refuse(reason=DeliveryRejectReason.TOO_LARGE, advice="Segment answered 413: look")
HOLD = Hold(after_seconds=60.0, advice="check the key")
P0, P1, P2 = (TOPIC, 0), (TOPIC, 1), (TOPIC, 2)


def lane(*, max_records: int = 3, breaker: Breaker | None = None, learnt: LearntLimits | None = None) -> Lane:
    limits = learnt or LearntLimits(limits_of(max_bytes=40_000, max_records=max_records))
    made = breaker or Breaker(BreakerLimits())
    return Lane(api=SELECTED, limits=limits, flush_interval_seconds=1.0, breaker=made, hold_seconds=60.0)


def batch(partition: int, *values: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> FakeBatch:
    messages = [
        FakeMessage(value=value, partition=partition, offset=n, headers=headers) for n, value in enumerate(values)
    ]
    return FakeBatch(partition, messages, [])


def act(machine: Lane, now: float = 0.0, not_before: float = 0.0) -> Action:
    return machine.next_action(now=now, not_before=not_before)


def sent(action: Action) -> list[bytes]:
    assert isinstance(action, Send)
    return action.request_batch.records


def hold_of(machine: Lane) -> Hold | None:
    return machine.hold


A, B, C, D, E = (record(name) for name in "abcde")
BAD = b"{"


def test_an_empty_lane_waits_without_end() -> None:
    assert act(lane()) == Wait(until=math.inf)
    assert lane().next_move_at(not_before=0.0) == math.inf


def test_a_record_waits_no_longer_than_the_flush_interval() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=10.0)
    machine.accept(batch(0, B), since=10.9)
    assert act(machine, now=10.5) == Wait(until=11.0)
    assert sent(act(machine, now=11.0)) == [A, B]


def test_a_full_request_leaves_at_once() -> None:
    machine = lane()
    machine.accept(batch(0, A, B), since=0.0)
    machine.accept(batch(1, C, D), since=0.0)
    assert sent(act(machine)) == [A, B, C]


def test_the_next_request_leaves_when_the_one_before_is_settled() -> None:
    machine = lane()
    first, second = batch(0, A, B), batch(1, C, D)
    machine.accept(first, since=0.0)
    machine.accept(second, since=0.0)
    act(machine)
    assert act(machine, now=99.0) == Wait(until=math.inf)
    machine.answered(Done(), now=99.0)
    assert act(machine, now=99.0) == Acknowledge(batches=[first])
    assert sent(act(machine, now=99.0)) == [D]
    machine.answered(Done(), now=99.0)
    assert act(machine, now=99.0) == Acknowledge(batches=[second])


def test_a_retry_sends_the_same_records_before_anything_else() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    assert sent(act(machine, now=1.0)) == [A]
    machine.accept(batch(0, B, C, D), since=1.0)
    machine.answered(Retry(after_seconds=4.0), now=2.0)
    assert machine.backing_off
    assert act(machine, now=2.0) == Wait(until=6.0)
    again = act(machine, now=6.0)
    assert sent(again) == [A]
    assert isinstance(again, Send)
    assert again.attempt == 2


def test_a_lane_is_retrying_from_the_first_failure_until_its_request_batch_is_settled() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    act(machine, now=1.0)
    seen = [machine.retrying]
    machine.answered(Retry(after_seconds=4.0), now=2.0)
    seen.append(machine.retrying)
    act(machine, now=6.0)
    seen.append(machine.retrying)
    machine.answered(Done(), now=7.0)
    seen.append(machine.retrying)
    assert seen == [False, True, True, False]


def test_attempts_are_counted_for_each_request_batch() -> None:
    machine = lane(max_records=1)
    machine.accept(batch(0, A, B), since=0.0)
    attempts = []
    for decision in (Retry(after_seconds=0.0), Done(), Done()):
        action = act(machine)
        assert isinstance(action, Send)
        attempts.append(action.attempt)
        machine.answered(decision, now=0.0)
    assert attempts == [1, 2, 1]


def test_nothing_is_sent_before_the_end_of_a_pause() -> None:
    machine = lane()
    machine.accept(batch(0, A, B, C), since=0.0)
    assert act(machine, now=0.0, not_before=5.0) == Wait(until=5.0)
    assert machine.next_move_at(not_before=5.0) == 5.0
    act(machine, now=5.0, not_before=5.0)
    machine.answered(Retry(after_seconds=1.0), now=5.0)
    assert act(machine, now=6.0, not_before=9.0) == Wait(until=9.0)


def test_a_hold_is_over_when_the_answer_changes() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    act(machine, now=1.0)
    machine.answered(HOLD, now=1.0)
    assert hold_of(machine) is HOLD
    assert act(machine, now=1.0) == Wait(until=61.0)
    act(machine, now=61.0)
    assert hold_of(machine) is HOLD
    machine.answered(Retry(after_seconds=1.0), now=61.0)
    assert hold_of(machine) is None
    act(machine, now=62.0)
    machine.answered(HOLD, now=62.0)
    act(machine, now=122.0)
    machine.answered(Done(), now=122.0)
    assert hold_of(machine) is None


def test_a_hold_is_over_when_a_part_of_its_request_batch_is_accepted() -> None:
    machine = lane(max_records=4)
    machine.accept(batch(0, A, B, C, D), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.answered(HOLD, now=0.0)
    assert hold_of(machine) == HOLD
    assert sent(act(machine, now=60.0)) == [A]
    machine.answered(Done(), now=60.0)
    assert hold_of(machine) is None
    assert machine.holds == frozenset()
    assert sent(act(machine, now=60.0)) == [B]


def test_a_batch_with_a_reject_is_settled_when_the_dead_letter_is_stored() -> None:
    machine = lane()
    mixed = batch(0, A, BAD, B)
    machine.accept(mixed, since=0.0)
    assert sent(act(machine, now=1.0)) == [A, B]
    machine.answered(Done(), now=1.0)
    storing = act(machine, now=1.0)
    assert isinstance(storing, Store)
    assert [letter.message for letter in storing.letters] == [mixed.messages[1]]
    assert act(machine, now=1.0) == Wait(until=math.inf)
    assert machine.records_in_hand == 1
    machine.stored()
    assert act(machine, now=1.0) == Acknowledge(batches=[mixed])
    assert (machine.records_in_hand, machine.bytes_in_hand) == (0, 0)


def test_a_batch_of_rejects_needs_no_request() -> None:
    machine = lane()
    bad = batch(0, BAD, None)
    machine.accept(bad, since=0.0)
    storing = act(machine, now=1.0)
    assert isinstance(storing, Store)
    assert [letter.reason for letter in storing.letters] == ["not_json", "tombstone"]
    machine.stored()
    assert act(machine, now=1.0) == Acknowledge(batches=[bad])


def test_a_good_batch_is_not_kept_waiting_by_anothers_dead_letters() -> None:
    machine = lane()
    good = batch(0, A)
    machine.accept(good, since=0.0)
    machine.accept(batch(1, BAD), since=0.0)
    act(machine, now=1.0)
    machine.answered(Done(), now=1.0)
    assert machine.next_move_at(not_before=0.0) == 0.0
    assert act(machine, now=1.0) == Acknowledge(batches=[good])
    assert isinstance(act(machine, now=1.0), Store)


def test_dead_letters_that_were_interrupted_are_stored_again() -> None:
    machine = lane()
    machine.accept(batch(0, BAD), since=0.0)
    first = act(machine, now=1.0)
    machine.interrupted(now=1.0)
    assert machine.next_move_at(not_before=0.0) == 0.0
    assert act(machine, now=1.0) == first


def test_draining_waits_for_nothing() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    machine.draining = True
    assert sent(act(machine, now=0.0)) == [A]


def test_a_lane_moves_while_something_is_in_flight() -> None:
    machine = lane()
    machine.accept(batch(0, A, BAD), since=0.0)
    act(machine, now=1.0)
    assert machine.in_flight
    assert machine.next_move_at(not_before=9.0) == 0.0
    machine.answered(Done(), now=1.0)
    assert machine.next_move_at(not_before=9.0) == 0.0
    machine.stored()
    assert machine.next_move_at(not_before=9.0) == 0.0
    act(machine, now=1.0)
    assert machine.next_move_at(not_before=9.0) == math.inf


def test_withdrawing_leaves_the_request_in_flight_alone() -> None:
    machine = lane()
    machine.accept(batch(0, A, B), since=0.0)
    machine.accept(batch(1, C), since=0.0)
    act(machine)
    machine.accept(batch(0, D), since=0.0)
    machine.accept(batch(1, E), since=0.0)
    machine.withdraw([P0])
    assert machine.carries([P0])
    machine.answered(Done(), now=0.0)
    assert machine.carries([P0])
    assert isinstance(act(machine), Acknowledge)
    assert not machine.carries([P0])
    assert sent(act(machine, now=1.0)) == [E]


def test_what_is_settled_and_not_acknowledged_is_forgotten_too() -> None:
    machine = lane()
    kept = batch(1, B)
    machine.accept(batch(0, A), since=0.0)
    machine.accept(kept, since=0.0)
    act(machine, now=1.0)
    machine.answered(Done(), now=1.0)
    assert machine.forget([P0]) == 0
    assert act(machine, now=1.0) == Acknowledge(batches=[kept])


def test_what_comes_of_a_partition_that_is_leaving_does_not_overtake_what_was_withdrawn() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    machine.withdraw([P0])
    machine.accept(batch(0, B), since=0.0)
    assert act(machine, now=9.0) == Wait(until=math.inf)
    assert machine.forget([P0]) == 2
    machine.accept(batch(0, A), since=9.0)
    assert sent(act(machine, now=10.0)) == [A]


def test_forgetting_takes_a_partition_out_of_the_request_batch_and_keeps_the_rest_first_in_line() -> None:
    machine = lane()
    kept = batch(1, C)
    machine.accept(batch(0, A, B), since=0.0)
    machine.accept(kept, since=0.0)
    act(machine)
    machine.accept(batch(1, D), since=0.0)
    assert machine.forget([P0]) == 2
    machine.interrupted(now=0.5)
    again = act(machine, now=0.5)
    assert sent(again) == [C]
    machine.answered(Done(), now=0.5)
    assert act(machine, now=0.5) == Acknowledge(batches=[kept])
    assert sent(act(machine, now=1.0)) == [D]


def test_an_answer_that_comes_after_all_acknowledges_nothing_that_was_forgotten() -> None:
    machine = lane()
    kept = batch(1, C)
    machine.accept(batch(0, A, B), since=0.0)
    machine.accept(kept, since=0.0)
    act(machine)
    machine.forget([P0])
    machine.answered(Done(), now=0.0)
    assert act(machine) == Acknowledge(batches=[kept])
    assert act(machine) == Wait(until=math.inf)


def test_forgetting_everything_ends_the_backoff_and_the_hold() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    act(machine, now=1.0)
    machine.answered(HOLD, now=1.0)
    assert machine.forget([P0, P2]) == 1
    assert (machine.hold, machine.backing_off) == (None, False)
    assert act(machine) == Wait(until=math.inf)


def test_a_request_batch_that_was_forgotten_while_it_was_in_flight_ends_at_rest() -> None:
    interrupted, refused = lane(), lane()
    for machine in (interrupted, refused):
        machine.accept(batch(0, A), since=0.0)
        act(machine, now=1.0)
        machine.forget([P0])
    interrupted.interrupted(now=1.0)
    refused.answered(HOLD, now=1.0)
    assert (interrupted.hold, act(interrupted)) == (None, Wait(until=math.inf))
    assert (refused.hold, act(refused)) == (None, Wait(until=math.inf))


def test_forgetting_after_half_a_batch_was_accepted_counts_only_the_rest() -> None:
    machine = lane(max_records=2)
    machine.accept(batch(0, A, B, C), since=0.0)
    act(machine)
    machine.answered(Done(), now=0.0)
    assert machine.forget([P0]) == 1
    assert act(machine) == Wait(until=math.inf)


def test_forgotten_dead_letters_are_not_stored() -> None:
    machine = lane()
    machine.accept(batch(0, A, BAD), since=0.0)
    act(machine, now=1.0)
    machine.answered(Done(), now=1.0)
    assert machine.forget([P0]) == 1
    assert act(machine, now=1.0) == Wait(until=math.inf)


def test_what_is_left_of_a_request_batch_may_be_dead_letters_alone() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    machine.accept(batch(1, BAD), since=0.0)
    act(machine, now=1.0)
    machine.answered(Retry(after_seconds=5.0), now=1.0)
    machine.forget([P0])
    assert isinstance(act(machine, now=6.0), Store)


def test_a_partition_that_comes_back_starts_anew() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    machine.forget([P0])
    back = batch(0, A)
    machine.accept(back, since=5.0)
    assert sent(act(machine, now=6.0)) == [A]
    machine.answered(Done(), now=6.0)
    assert act(machine, now=6.0) == Acknowledge(batches=[back])


def test_an_unknown_format_version_stops_its_partition_and_no_other() -> None:
    machine = lane()
    newer = [(FORMAT_VERSION, b"2")]
    machine.accept(batch(0, A), since=0.0)
    machine.accept(batch(0, B, headers=newer), since=0.0)
    machine.accept(batch(0, C), since=0.0)
    machine.accept(batch(1, D), since=0.0)
    assert machine.unreadable == {P0: b"2"}
    assert sent(act(machine, now=1.0)) == [A, D]
    machine.answered(Done(), now=1.0)
    act(machine, now=1.0)
    assert act(machine, now=9.0) == Wait(until=math.inf)
    assert machine.records_in_hand == 2
    assert machine.forget([P0]) == 2
    assert machine.unreadable == {}


class Decoder:
    """Returns the JSON after an Avro marker, and counts the calls."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def __call__(self, value: bytes) -> bytes:
        self.given.append(value)
        return value[1:]


def avro_lane(decoder: Decoder, *, max_records: int = 3) -> Lane:
    limits = LearntLimits(limits_of(max_bytes=40_000, max_records=max_records))
    breaker = Breaker(BreakerLimits())
    return Lane(
        api=SELECTED,
        limits=limits,
        flush_interval_seconds=1.0,
        breaker=breaker,
        hold_seconds=60.0,
        read_avro=decoder,
    )


def avro_batch(partition: int, *records: bytes) -> FakeBatch:
    return batch(partition, *(b"\0" + each for each in records), headers=[(FORMAT_VERSION, AVRO_RECORD_FORMAT)])


def test_what_no_request_needs_yet_is_not_decoded_however_long_segment_is_away() -> None:
    decoder = Decoder()
    machine = avro_lane(decoder)
    machine.accept(avro_batch(0, A, B), since=0.0)
    machine.accept(avro_batch(1, C, D), since=0.0)
    assert len(decoder.given) == 4, "they fill a request"
    for partition in range(10):
        machine.accept(avro_batch(partition, E, E), since=0.0)
    assert len(decoder.given) == 4
    assert sent(act(machine)) == [A, B, C]
    assert len(decoder.given) == 6, "what waits fills a request again"
    machine.answered(Retry(after_seconds=4.0), now=1.0)
    assert sent(act(machine, now=5.0)) == [A, B, C]
    machine.answered(HOLD, now=5.0)
    machine.accept(avro_batch(0, E), since=5.0)
    assert len(decoder.given) == 6
    assert machine.records_in_hand == 25
    assert machine.queued == {P1, *((TOPIC, number) for number in range(2, 10))}


def test_what_waits_unchecked_leaves_in_its_turn() -> None:
    machine = avro_lane(Decoder(), max_records=1)
    given = [A, B, C, D, E]
    for each in given:
        machine.accept(avro_batch(0, each), since=0.0)
    seen = []
    for _ in given:
        seen += sent(act(machine, now=9.0))
        machine.answered(Done(), now=9.0)
        assert isinstance(act(machine, now=9.0), Acknowledge)
    assert seen == given
    assert act(machine, now=99.0) == Wait(until=math.inf)


def test_what_waits_unchecked_of_a_partition_that_was_given_up_is_not_sent() -> None:
    machine = lane(max_records=1)
    for partition, each in ((0, A), (1, B), (2, C), (1, D)):
        machine.accept(batch(partition, each), since=0.0)
    assert machine.forget([P1, P0]) == 3
    assert sent(act(machine)) == [C], "what is left is checked when the rest is gone"
    machine.answered(Done(), now=0.0)
    assert isinstance(act(machine), Acknowledge)
    assert act(machine, now=99.0) == Wait(until=math.inf)


def test_an_unknown_format_version_stops_what_waits_unchecked_behind_it() -> None:
    machine = lane(max_records=1)
    machine.accept(batch(0, A), since=0.0)
    machine.accept(batch(1, B, headers=[(FORMAT_VERSION, b"3")]), since=0.0)
    machine.accept(batch(1, C), since=0.0)
    machine.accept(batch(0, D), since=0.0)
    assert machine.unreadable == {}
    assert sent(act(machine)) == [A]
    assert machine.unreadable == {P1: b"3"}
    machine.answered(Done(), now=0.0)
    assert isinstance(act(machine), Acknowledge)
    assert sent(act(machine)) == [D]


def test_what_is_in_hand_is_counted() -> None:
    machine = lane()
    machine.accept(batch(0, A, BAD, None), since=0.0)
    machine.accept(batch(1, B), since=0.0)
    assert machine.records_in_hand == 4
    assert machine.bytes_in_hand == len(A) + len(BAD) + len(B)


def strict() -> Breaker:
    """A breaker that allows ten dead letters and has counted ten."""
    made = Breaker(BreakerLimits(max_share=0.0))
    made.note(records=10, bad=10)
    return made


def reasons(action: Action) -> list[tuple[int, str]]:
    assert isinstance(action, Store)
    return [(letter.message.offset, letter.reason.value) for letter in action.letters]


def test_a_refused_request_batch_is_taken_apart_and_the_bad_record_stored_alone() -> None:
    machine = lane(max_records=5)
    mixed = batch(0, A, B, C, D)
    machine.accept(mixed, since=0.0)
    act(machine, now=1.0)
    machine.answered(REFUSE, now=1.0)
    assert machine.dissecting
    for bad, each in ((False, A), (True, B), (False, C), (False, D)):
        assert sent(act(machine, now=1.0)) == [each]
        machine.answered(REFUSE if bad else Done(), now=1.0)
    assert reasons(act(machine, now=1.0)) == [(1, "refused")]
    machine.stored()
    assert act(machine, now=1.0) == Acknowledge(batches=[mixed])
    assert (machine.records_in_hand, machine.dissecting) == (0, False)


def test_accepted_parts_are_acknowledged_before_the_verdicts_are_known() -> None:
    machine = lane(max_records=2)
    good = batch(0, A)
    machine.accept(good, since=0.0)
    machine.accept(batch(1, B), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.answered(Done(), now=0.0)
    assert act(machine) == Acknowledge(batches=[good])
    assert sent(act(machine)) == [B]


def test_a_part_that_fails_is_repeated_and_attempts_count_for_each_part() -> None:
    machine = lane(max_records=2)
    machine.accept(batch(0, A, B), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    act(machine)
    machine.answered(Retry(after_seconds=3.0), now=0.0)
    again = act(machine, now=3.0)
    assert isinstance(again, Send)
    assert (again.request_batch.records, again.attempt) == ([A], 2)


def test_the_breaker_holds_before_any_dead_letter_is_written_and_stops_the_splitting() -> None:
    machine = lane(max_records=3, breaker=strict())
    machine.accept(batch(0, A, B, C), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.answered(REFUSE, now=0.0)
    hold = hold_of(machine)
    assert hold is not None
    assert "PIPELINE_DEAD_LETTER_MAX_SHARE" in hold.advice
    assert "Segment answered 400: look" in hold.advice
    assert act(machine, now=59.0) == Wait(until=60.0)
    again = act(machine, now=60.0)
    assert sent(again) == [A, B, C]
    assert isinstance(again, Send)
    assert again.attempt == 1


def test_a_hold_of_the_breaker_ends_when_the_answers_change_and_not_before() -> None:
    machine = lane(max_records=3, breaker=strict())
    assert machine.holds == frozenset()
    whole = batch(0, A, B, C)
    machine.accept(whole, since=0.0)
    for now in (0.0, 60.0):
        act(machine, now=now)
        machine.answered(REFUSE, now=now)
        assert (hold_of(machine) is None) == (now == 0.0), "a second dissection is not the end of a hold"
        act(machine, now=now)
        machine.answered(REFUSE, now=now)
    act(machine, now=120.0)
    assert hold_of(machine) is not None
    machine.answered(Done(), now=120.0)
    assert hold_of(machine) is None
    assert act(machine, now=120.0) == Acknowledge(batches=[whole])


@pytest.mark.parametrize("failure", [Retry(after_seconds=0.0), HOLD, None])
def test_a_verdict_is_final_when_a_request_behind_it_may_have_been_accepted(failure: Retry | Hold | None) -> None:
    breaker = Breaker(BreakerLimits(max_share=0.0))
    breaker.note(records=9, bad=9)  # one more is allowed
    machine = lane(max_records=2, breaker=breaker)
    machine.accept(batch(0, A, B), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [B]
    if failure is None:
        machine.interrupted(now=0.0)
    else:
        machine.answered(failure, now=0.0)
    assert sent(act(machine, now=60.0)) == [B]
    machine.answered(REFUSE, now=60.0)
    assert hold_of(machine) is not None
    assert sent(act(machine, now=120.0)) == [B], "A would come behind B"


def test_records_that_fail_our_own_checks_go_through_the_breaker_too() -> None:
    machine = lane(breaker=strict())
    machine.accept(batch(0, A, BAD), since=0.0)
    act(machine, now=1.0)
    machine.answered(Done(), now=1.0)
    assert act(machine, now=1.0) == Wait(until=61.0)
    hold = hold_of(machine)
    assert hold is not None
    assert "not_json" in hold.advice
    assert act(machine, now=61.0) == Wait(until=121.0)
    assert machine.forget([P0]) == 1
    assert (hold_of(machine), act(machine, now=61.0)) == (None, Wait(until=math.inf))


def test_dead_letters_that_were_allowed_are_stored_again_after_an_interruption() -> None:
    machine = lane(breaker=Breaker(BreakerLimits(max_share=0.0)))
    machine.accept(batch(0, *[BAD] * 10), since=0.0)
    first = act(machine, now=1.0)
    machine.interrupted(now=1.0)
    assert act(machine, now=1.0) == first


def test_a_refusal_says_nothing_about_what_is_left_when_a_partition_was_forgotten_meanwhile() -> None:
    machine = lane(max_records=2)
    kept = batch(1, B)
    machine.accept(batch(0, A), since=0.0)
    machine.accept(kept, since=0.0)
    act(machine)
    machine.forget([P0])
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [B]
    machine.answered(Done(), now=0.0)
    assert act(machine) == Acknowledge(batches=[kept])


def test_what_waits_behind_a_forgotten_part_is_sent() -> None:
    machine = lane(max_records=2)
    machine.accept(batch(0, A), since=0.0)
    machine.accept(batch(1, B), since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.forget([P0])
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [B]


def through(machine: Lane, most_bytes: int, *, now: float) -> tuple[list[list[bytes]], int]:
    """Send everything to a destination with a size limit. Return the accepted records and the number of 413s."""
    accepted, refused = [], 0
    while not isinstance(action := act(machine, now=now), Wait):
        if isinstance(action, Send):
            too_large = action.request_batch.body_bytes(SELECTED.limits) > most_bytes
            refused += too_large
            accepted += [] if too_large else [action.request_batch.records]
            machine.answered(TOO_LARGE if too_large else Done(), now=now)
    return accepted, refused


def test_a_way_that_takes_smaller_requests_is_learnt_once_for_all_lanes() -> None:
    limits = limits_of(max_bytes=40_000, max_records=99, max_record_bytes=2_000)
    learnt = LearntLimits(limits)
    first, second = lane(learnt=learnt), lane(learnt=learnt)
    values = [record_of(1_000, f"{number:03}") for number in range(39)]
    for machine in (first, second):
        machine.accept(batch(0, *values), since=0.0)
    accepted, refused = through(first, 10_500, now=1.0)
    assert [each for part in accepted for each in part] == values
    assert refused == 2
    assert 5_250 < learnt.max_bytes <= 10_500
    accepted, refused = through(second, 10_500, now=1.0)
    assert [each for part in accepted for each in part] == values
    assert (refused, {len(part) for part in accepted[:-1]}) == (
        0,
        {(learnt.max_bytes - limits.envelope_bytes + limits.separator_bytes) // (1_000 + limits.separator_bytes)},
    )


def test_what_was_packed_before_the_lesson_is_cut_before_it_is_sent_again_unless_it_may_be_accepted_already() -> None:
    learnt = LearntLimits(limits_of(max_bytes=40_000, max_records=99, max_record_bytes=2_000))
    refused, unanswered = lane(learnt=learnt), lane(learnt=learnt)
    values = [record_of(1_000, f"{number:03}") for number in range(32)]
    for machine in (refused, unanswered):
        machine.accept(batch(0, *values), since=0.0)
        assert sent(act(machine, now=1.0)) == values
    learnt.cured(20_000)
    refused.answered(TOO_LARGE, now=1.0)
    assert sent(act(refused, now=1.0)) == values[:8]
    unanswered.answered(Retry(after_seconds=0.0), now=1.0)
    assert sent(act(unanswered, now=1.0)) == values


def test_a_record_that_is_too_large_alone_teaches_nothing() -> None:
    learnt = LearntLimits(limits_of(max_bytes=40_000, max_records=99))
    machine = lane(learnt=learnt)
    machine.accept(batch(0, *[record_of(1_000)] * 5, record_of(9_000), *[record_of(1_000)] * 5), since=0.0)
    while not isinstance(action := act(machine, now=1.0), Store):
        assert isinstance(action, Send)
        poisoned = max(map(len, action.request_batch.records)) == 9_000
        machine.answered(TOO_LARGE if poisoned else Done(), now=1.0)
    assert reasons(action) == [(5, "too_large")]
    assert learnt.max_bytes == 40_000


def test_no_lesson_leaves_a_record_without_a_request() -> None:
    learnt = LearntLimits(limits_of(max_bytes=40_000, max_records=99))
    machine = lane(learnt=learnt)
    machine.accept(batch(0, A, B, C, D), since=0.0)
    through(machine, SELECTED.limits.envelope_bytes + len(A), now=1.0)
    assert learnt.max_bytes == learnt.in_force.least_bytes
    largest = record_of(learnt.in_force.max_record_bytes)
    machine.accept(batch(0, A, largest, B), since=2.0)
    assert through(machine, 40_000, now=9.0) == ([[A], [largest], [B]], 0)


def test_the_next_part_is_sent_when_the_one_that_waited_is_forgotten() -> None:
    machine = lane(max_records=4)
    machine.accept(batch(0, A), since=0.0)
    kept = batch(1, B, C, D)
    machine.accept(kept, since=0.0)
    act(machine)
    machine.answered(REFUSE, now=0.0)
    assert sent(act(machine)) == [A]
    machine.answered(Retry(after_seconds=5.0), now=0.0)
    assert machine.forget([P0]) == 1
    left = []
    for _ in range(3):
        left += sent(act(machine, now=5.0))
        machine.answered(Done(), now=5.0)
    assert left == [B, C, D]
    assert act(machine, now=5.0) == Acknowledge(batches=[kept])


def test_a_request_batch_begins_with_its_first_attempt_though_the_one_before_it_was_forgotten() -> None:
    machine = lane()
    machine.accept(batch(0, A), since=0.0)
    act(machine, now=1.0)
    machine.answered(Retry(after_seconds=1.0), now=1.0)
    act(machine, now=2.0)
    machine.answered(Retry(after_seconds=1.0), now=2.0)
    machine.forget([P0])
    machine.accept(batch(1, B), since=2.0)
    action = act(machine, now=9.0)
    assert isinstance(action, Send)
    assert action.attempt == 1


def test_a_hold_is_over_when_segment_looks_at_the_records_again() -> None:
    machine = lane()
    machine.accept(batch(0, A, B), since=0.0)
    act(machine, now=1.0)
    machine.answered(HOLD, now=1.0)
    act(machine, now=61.0)
    assert hold_of(machine) == HOLD
    machine.answered(REFUSE, now=61.0)
    assert hold_of(machine) is None


def test_a_hold_of_the_breaker_is_over_when_dead_letters_are_being_stored() -> None:
    breaker = strict()
    machine = lane(breaker=breaker)
    machine.accept(batch(0, BAD), since=0.0)
    act(machine, now=1.0)
    assert hold_of(machine) is not None
    breaker.note(records=breaker.limits.window, bad=0)  # other lanes had good records meanwhile
    seen = [machine.storing]
    assert isinstance(act(machine, now=61.0), Store)
    seen.append(machine.storing)
    assert (seen, hold_of(machine)) == ([False, True], None)
