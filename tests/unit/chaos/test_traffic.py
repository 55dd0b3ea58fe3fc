from __future__ import annotations

from functools import partial
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap.roles import ROLES
from pipeline.core.classification import Destination
from pipeline.core.outcomes import Deliver, Drop, Outcome, Reject
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.local.traffic_truth import Fate
from pipeline.settings.choices import Role
from tests.builders import MIXPANEL, SEGMENT, RawMessage
from tests.chaos.destination_faults import COMMON
from tests.chaos.destinations import DESTINATIONS
from tests.chaos.plan import DISRUPTIONS, disruptions, drawn, form
from tests.chaos.traffic import POISON, chaos_traffic, poison

if TYPE_CHECKING:
    from pipeline.core.record_builders import RecordBuilders

BUILDERS: dict[Destination, RecordBuilders] = {Destination.SEGMENT: SEGMENT, Destination.MIXPANEL: MIXPANEL}
ALL = tuple(each.destination for each in DESTINATIONS)
traffic_of = partial(chaos_traffic, destinations=ALL)
OUTCOMES: dict[Fate, type[Outcome]] = {Fate.FORWARDED: Deliver, Fate.DROPPED: Drop, Fate.REJECTED: Reject}


@pytest.mark.parametrize("destination", BUILDERS)
@pytest.mark.parametrize("name", POISON)
def test_poison_meets_the_fate_that_is_claimed_for_it(name: str, destination: Destination) -> None:
    message = poison(name, number=7, user="p-1", destinations=ALL)
    policy = Policy(records=BUILDERS[destination])
    outcome = process(RawMessage(key=message.key, value=message.value), policy, STATELESS)
    assert type(outcome) is OUTCOMES[message.fates[destination]]
    if isinstance(outcome, Deliver):
        assert outcome.user_key == message.key
        assert f'"{message.message_id}"'.encode() in outcome.record


def test_every_destination_of_the_pipeline_is_run_with_faults_of_its_own_and_all_common_ones() -> None:
    assert tuple(Destination) == ALL
    for each in DESTINATIONS:
        assert each.faults.keys() > COMMON.keys()
        assert {role for role in Role if ROLES[role].destination.name == each.destination.value} == set(each.roles)


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    assert list(traffic_of(seed=7, events=2_000)) == list(traffic_of(seed=7, events=2_000))
    assert list(traffic_of(seed=7, events=200)) != list(traffic_of(seed=8, events=200))


def test_there_is_poison_in_the_short_form_and_few_large_events() -> None:
    sizes = [len(each.value or b"") for each in traffic_of(seed=1, events=16_000)]
    assert len(sizes) == 16_000
    assert 1 <= sum(size > 900_000 for size in sizes) <= 12
    assert any(each.name for each in islice(traffic_of(seed=1, events=16_000), 16_000))


def test_every_fault_comes_once_a_round() -> None:
    assert sorted(drawn(("a", "b", "c"), Random(1), rounds=2)) == ["a", "a", "b", "b", "c", "c"]
    assert sorted(disruptions(form(short=False, seed=1), Random(1))) == sorted(DISRUPTIONS)


def test_the_short_form_leaves_out_one_of_two_that_are_alike() -> None:
    omitted = set(DISRUPTIONS) - set(disruptions(form(short=True, seed=1), Random(1)))
    assert {name.split()[0] for name in omitted} == {"broker", "network"}
    assert len(omitted) == 2


def test_what_is_asked_for_wins_over_the_form() -> None:
    chosen = form(short=False, seed=1, events=10, kills=0, rounds=3)
    assert (chosen.events, chosen.kills, chosen.rounds) == (10, 0, 3)
