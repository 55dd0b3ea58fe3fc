from __future__ import annotations

import struct

import pytest

from pipeline.local.traffic_truth import Fate
from tests.chaos.ledger import Ledger
from tests.chaos.reckoning import reckon
from tests.chaos.sampler import commit_partition


def written(*ids: str, user: str = "u") -> Ledger:
    """A partition with these ids, all to be forwarded."""
    ledger = Ledger(2)
    for each in ids:
        ledger.wrote(0, Fate.FORWARDED, each, user)
    return ledger


def forwarded(ledger: Ledger, *offsets: int) -> None:
    for offset in offsets:
        ledger.stored_record(0, len(ledger.records[0]), 0, offset)


def accepted(ledger: Ledger, *ids: str) -> None:
    for each in ids:
        ledger.accept(each, "u")


def test_a_run_in_which_all_went_well_breaks_no_promise() -> None:
    ledger = written("a", "b")
    ledger.wrote(0, Fate.DROPPED, None, "u")
    ledger.wrote(0, Fate.REJECTED, None, "u")
    forwarded(ledger, 0, 1)
    ledger.stored_letter("processor", "not_json", 0, 3)
    accepted(ledger, "a", "b")
    ledger.committed("processor", {0: 4})
    ledger.committed("sink", {0: 2})
    reckoning = reckon(ledger)
    assert not reckoning.broken
    assert (reckoning.accepted_ids, reckoning.duplicates) == (2, 0)
    assert reckoning.fates == {"forwarded": 2, "dropped": 1, "rejected": 1}


def test_a_record_that_segment_never_accepted_is_lost() -> None:
    ledger = written("a", "b")
    forwarded(ledger, 0, 1)
    accepted(ledger, "a")
    assert reckon(ledger).lost.count == 1
    assert "b" in reckon(ledger).lost.evidence[0]


def test_a_message_that_was_never_forwarded_is_lost() -> None:
    ledger = written("a", "b")
    forwarded(ledger, 1)
    accepted(ledger, "b")
    assert reckon(ledger).lost.count == 1


def test_a_reject_without_its_dead_letter_is_lost() -> None:
    ledger = Ledger(1)
    ledger.wrote(0, Fate.REJECTED, None, "u")
    assert reckon(ledger).lost.count == 1


def test_a_record_that_became_a_dead_letter_of_the_sink_is_not_lost() -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    ledger.stored_letter("segment-sink", "refused", 0, 0)
    reckoning = reckon(ledger)
    assert (reckoning.broken, reckoning.refused) == (False, 1)


def test_a_dead_letter_of_the_sink_may_be_read_before_its_record() -> None:
    ledger = written("a")
    ledger.stored_letter("segment-sink", "refused", 0, 0)
    assert reckon(ledger).wrong_source.count == 1, "its record may still come"
    forwarded(ledger, 0)
    reckoning = reckon(ledger)
    assert (reckoning.broken, reckoning.refused, reckoning.wrong_source.count) == (False, 1, 0)


def test_a_user_whose_records_were_first_accepted_in_another_order_is_noticed() -> None:
    ledger = written("a", "b", "c")
    forwarded(ledger, 0, 1, 2)
    accepted(ledger, "a", "c", "b")
    assert reckon(ledger).order.count == 1


@pytest.mark.parametrize(("taken_by", "violations"), [("first worker", 1), ("its successor", 0)])
def test_a_record_that_was_refused_alone_may_be_late_only_when_another_worker_sends_it_again(
    taken_by: str, violations: int
) -> None:
    ledger = written("a", "b")
    forwarded(ledger, 0, 1)
    ledger.refused_alone("a", caller="first worker")
    ledger.accept("b", "u", caller="first worker")
    ledger.accept("a", "u", caller=taken_by)
    reckoning = reckon(ledger)
    assert (reckoning.order.count, reckoning.late_after_refusal) == (violations, 1 - violations)


@pytest.mark.parametrize("taken_by", ["first worker", "its successor"])
def test_a_record_that_was_refused_beside_others_may_be_late_and_is_counted_apart(taken_by: str) -> None:
    ledger = written("a", "b", "c")
    forwarded(ledger, 0, 1, 2)
    ledger.refused_beside_others("a")
    ledger.accept("b", "u", caller="first worker")
    ledger.accept("a", "u", caller=taken_by)
    ledger.accept("c", "u", caller=taken_by)
    reckoning = reckon(ledger)
    assert (reckoning.order.count, reckoning.late_after_refusal, reckoning.broken) == (0, 1, False)


def test_a_record_that_is_refused_again_alone_keeps_its_excuse_and_no_other_one() -> None:
    ledger = written("a", "b")
    forwarded(ledger, 0, 1)
    ledger.refused_beside_others("a")
    ledger.accept("b", "u", caller="worker")
    ledger.refused_alone("a", caller="worker")
    ledger.accept("a", "u", caller="worker")
    reckoning = reckon(ledger)
    assert (reckoning.order.count, reckoning.late_after_refusal) == (0, 1)


@pytest.mark.parametrize("ids", [("c", "a"), ("b", "c", "a"), ("c", "b", "a")])
def test_a_refusal_does_not_excuse_what_was_late_before_it(ids: tuple[str, ...]) -> None:
    ledger = written("a", "b", "c")
    forwarded(ledger, 0, 1, 2)
    first, *others, last = ids
    accepted(ledger, first)
    ledger.refused_beside_others(last)
    accepted(ledger, *others, last)
    assert reckon(ledger).order.count >= 1


def test_a_refusal_excuses_no_other_record_and_no_second_delay() -> None:
    ledger = written("a", "b", "c")
    forwarded(ledger, 0, 1, 2)
    ledger.refused_beside_others("b")
    accepted(ledger, "b", "c", "a")
    reckoning = reckon(ledger)
    assert (reckoning.order.count, reckoning.late_after_refusal) == (1, 0)


def test_what_is_accepted_again_later_is_a_duplicate_and_not_out_of_order() -> None:
    ledger = written("a", "b")
    forwarded(ledger, 0, 1)
    accepted(ledger, "a", "b", "a", "b")
    reckoning = reckon(ledger)
    assert (reckoning.order.count, reckoning.duplicates) == (0, 2)


def test_another_users_records_may_come_in_between() -> None:
    ledger = written("a", "b")
    ledger.wrote(1, Fate.FORWARDED, "x", "v")
    forwarded(ledger, 0, 1)
    ledger.stored_record(1, 0, 1, 0)
    accepted(ledger, "a")
    ledger.accept("x", "v")
    accepted(ledger, "b")
    assert not reckon(ledger).broken


def test_an_id_that_the_traffic_repeats_may_be_accepted_as_often() -> None:
    ledger = written("a", "b", "a")
    forwarded(ledger, 0, 1, 2)
    accepted(ledger, "a", "b", "a")
    reckoning = reckon(ledger)
    assert (reckoning.broken, reckoning.duplicates, reckoning.repeated_by_traffic) == (False, 0, 1)


def test_a_repetition_after_a_lost_answer_is_counted_separately() -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    ledger.accept("a", "u", answered=False)
    accepted(ledger, "a", "a")
    assert (reckon(ledger).duplicates, ledger.repeats_after_lost_answers) == (2, 1)


@pytest.mark.parametrize("accepted_before", [False, True])
def test_a_sink_commit_above_a_record_that_is_not_accepted_is_ahead(*, accepted_before: bool) -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    if accepted_before:
        accepted(ledger, "a")
    ledger.committed("sink", {0: 1})
    accepted(ledger, "a")
    assert reckon(ledger).commit_ahead.count == (0 if accepted_before else 1)


@pytest.mark.parametrize(("fate", "ahead"), [(Fate.FORWARDED, 1), (Fate.REJECTED, 1), (Fate.DROPPED, 0)])
def test_a_processor_commit_above_a_message_without_effect_is_ahead_unless_it_is_dropped(
    fate: Fate, ahead: int
) -> None:
    ledger = Ledger(1)
    ledger.wrote(0, fate, "a" if fate is Fate.FORWARDED else None, "u")
    ledger.committed("processor", {0: 1})
    assert reckon(ledger).commit_ahead.count == ahead


def test_a_commit_of_what_was_never_stored_is_ahead() -> None:
    ledger = Ledger(1)
    ledger.committed("processor", {0: 1})
    ledger.committed("sink", {0: 1})
    assert reckon(ledger).commit_ahead.count == 2


def test_a_commit_that_goes_backward_is_one_of_an_old_generation() -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    accepted(ledger, "a")
    ledger.committed("sink", {0: 1})
    ledger.committed("sink", {0: 0})
    assert reckon(ledger).commit_backward.count == 1


def test_an_id_that_was_never_written_is_noticed() -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    accepted(ledger, "a", "stranger")
    assert reckon(ledger).unknown_ids.evidence == ["stranger"]


def test_a_record_for_another_user_is_noticed() -> None:
    ledger = written("a")
    forwarded(ledger, 0)
    ledger.accept("a", "somebody else")
    assert reckon(ledger).unknown_ids.count == 1


def test_a_message_to_be_dropped_that_is_forwarded_is_noticed() -> None:
    ledger = Ledger(1)
    ledger.wrote(0, Fate.DROPPED, None, "u")
    forwarded(ledger, 0)
    assert reckon(ledger).wrong_fate.count == 1


def test_a_good_message_among_the_processors_dead_letters_is_noticed() -> None:
    ledger = written("a")
    ledger.stored_letter("processor", "not_json", 0, 0)
    assert reckon(ledger).wrong_fate.count == 1


def test_a_record_that_names_no_message_or_another_partition_is_noticed() -> None:
    ledger = written("a")
    ledger.stored_record(0, 0, 0, 7)
    ledger.stored_record(1, 0, 0, 0)
    assert reckon(ledger).wrong_source.count == 2


def test_records_that_were_written_twice_are_counted() -> None:
    ledger = written("a")
    forwarded(ledger, 0, 0)
    accepted(ledger, "a")
    assert reckon(ledger).rewritten_records == 1


def test_the_partition_of_a_stored_commit_is_read_from_its_key() -> None:
    key = struct.pack(">hh1sh2si", 1, 1, b"g", 2, b"tt", 5)
    assert commit_partition(key) == ("g", "tt", 5)
    assert commit_partition(struct.pack(">hh1s", 2, 1, b"g")) is None
    assert commit_partition(None) is None
