from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from pipeline.core.outcomes import Deliver, Drop, Outcome, Reject
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.local.traffic_truth import Fate
from tests.builders import SEGMENT, RawMessage
from tests.chaos.plan import DISRUPTIONS, SEGMENT_FAULTS, disruptions, drawn, form
from tests.chaos.traffic import POISON, chaos_traffic, poison

OUTCOMES: dict[Fate, type[Outcome]] = {Fate.FORWARDED: Deliver, Fate.DROPPED: Drop, Fate.REJECTED: Reject}


@pytest.mark.parametrize("name", POISON)
def test_poison_meets_the_fate_that_is_claimed_for_it(name: str) -> None:
    message = poison(name, number=7, user="p-1")
    outcome = process(RawMessage(key=message.key, value=message.value), Policy(records=SEGMENT), STATELESS)
    assert type(outcome) is OUTCOMES[message.fate]
    if isinstance(outcome, Deliver):
        assert outcome.user_key == message.key
        assert f'"messageId":"{message.message_id}"'.encode() in outcome.record


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    assert list(chaos_traffic(seed=7, events=2_000)) == list(chaos_traffic(seed=7, events=2_000))
    assert list(chaos_traffic(seed=7, events=200)) != list(chaos_traffic(seed=8, events=200))


def test_there_is_poison_in_the_short_form_and_few_large_events() -> None:
    sizes = [len(each.value or b"") for each in chaos_traffic(seed=1, events=16_000)]
    assert len(sizes) == 16_000
    assert 1 <= sum(size > 900_000 for size in sizes) <= 12
    assert any(each.name for each in islice(chaos_traffic(seed=1, events=16_000), 16_000))


def test_every_fault_comes_once_a_round() -> None:
    assert sorted(drawn(SEGMENT_FAULTS, Random(1), rounds=2)) == sorted([*SEGMENT_FAULTS, *SEGMENT_FAULTS])
    assert sorted(disruptions(form(short=False, seed=1), Random(1))) == sorted(DISRUPTIONS)


def test_the_short_form_leaves_out_one_of_two_that_are_alike() -> None:
    omitted = set(DISRUPTIONS) - set(disruptions(form(short=True, seed=1), Random(1)))
    assert {name.split()[0] for name in omitted} == {"broker", "network"}
    assert len(omitted) == 2


def test_what_is_asked_for_wins_over_the_form() -> None:
    chosen = form(short=False, seed=1, events=10, kills=0, rounds=3)
    assert (chosen.events, chosen.kills, chosen.rounds) == (10, 0, 3)
