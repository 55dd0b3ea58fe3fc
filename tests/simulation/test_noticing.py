"""The simulation notices mistakes, and reaches the situations in which they occur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation import mutants
from tests.simulation.parts import REAL, Parts
from tests.simulation.playing import Failure, Tally, history, play
from tests.simulation.promises import Promise
from tests.simulation.scenario import scenario_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pipeline.delivery.lane import Lane
    from pipeline.stream.ledger import Ledger

SEEDS = 1_000
SCENARIOS = 400


def first_failure(parts: Parts, *, refusals: bool = False) -> tuple[int, Failure]:
    for seed in range(SEEDS):
        failure = play(scenario_of(seed, refusals=refusals), parts)
        if failure is not None:
            return seed, failure
    pytest.fail(f"{SEEDS} seeds notice nothing")


@pytest.mark.parametrize(
    ("ledger", "promises"),
    [
        (mutants.LedgerThatMatchesByOffset, {Promise.COMMIT}),
        (mutants.LedgerThatCountsLateAcknowledgements, {Promise.COMMIT}),
        (mutants.LedgerThatCommitsTheHighest, {Promise.COMMIT}),
        (mutants.LedgerThatSettlesWhatWasRead, {Promise.COMMIT}),
        (mutants.LedgerThatForgetsWhatWasReadOver, {Promise.PROGRESS}),
        (mutants.LedgerThatSettlesInSilence, {Promise.PROGRESS}),
    ],
)
def test_the_simulation_notices(ledger: type[Ledger], promises: AbstractSet[Promise]) -> None:
    assert first_failure(Parts(ledger=ledger))[1].promise in promises


@pytest.mark.parametrize(
    ("lane", "promises"),
    [
        (mutants.LaneThatSendsBeforeItIsSettled, {Promise.ONE_REQUEST}),
        (mutants.LaneThatKeepsWhatItGaveUp, {Promise.OWNERSHIP, Promise.ORDER}),
        (mutants.LaneThatKeepsItsRequestBatch, {Promise.OWNERSHIP}),
        (mutants.LaneThatTakesAFailureForAnAnswer, {Promise.ACKNOWLEDGEMENT, Promise.SUM}),
        (mutants.LaneThatRetriesBehindTheOthers, {Promise.ORDER}),
        (mutants.LaneThatMixesItsPartitions, {Promise.ORDER}),
        (mutants.LaneThatAcknowledgesWhenItSends, {Promise.ACKNOWLEDGEMENT}),
        (mutants.LaneThatForgetsDeadLetters, {Promise.ACKNOWLEDGEMENT, Promise.SUM}),
        (mutants.LaneThatOverfills, {Promise.LIMITS}),
        (mutants.LaneThatSleeps, {Promise.PROGRESS}),
        (mutants.LaneThatIsNeverDue, {Promise.PROGRESS}),
    ],
)
def test_the_simulation_notices_a(lane: type[Lane], promises: AbstractSet[Promise]) -> None:
    assert first_failure(Parts(lane=lane))[1].promise in promises


@pytest.mark.parametrize(
    ("lane", "promise"),
    [
        (mutants.LaneThatAcceptsWhatWasRefused, Promise.ACKNOWLEDGEMENT),
        (mutants.LaneThatAsksNoBreaker, Promise.BREAKER),
        (mutants.LaneThatTakesBackFinalVerdicts, Promise.FINAL),
    ],
)
def test_the_simulation_notices_what_a_lane_makes_of_partial_answers(lane: type[Lane], promise: Promise) -> None:
    assert first_failure(Parts(lane=lane), refusals=True)[1].promise is promise


def test_the_simulation_notices_trust_in_an_answer_that_contradicts_what_was_sent() -> None:
    _, failure = first_failure(Parts(exchange=mutants.ExchangeThatTrustsEveryAnswer), refusals=True)
    assert failure.promise in {Promise.ACKNOWLEDGEMENT, Promise.SPARING}


def test_the_simulation_notices_a_lane_that_forgets_what_it_learnt() -> None:
    _, failure = first_failure(Parts(lane=mutants.LaneThatForgetsWhatItLearnt), refusals=True)
    assert failure.promise is Promise.LIMITS


def test_a_failing_seed_prints_its_shortest_history() -> None:
    parts = Parts(lane=mutants.LaneThatMixesItsPartitions)
    seed, failure = first_failure(parts)
    lines = history(seed, scenario_of(seed, refusals=False), parts).splitlines()
    assert lines[0].startswith(f"seed {seed} breaks a promise: {failure.promise.value}")
    assert int(lines[1].split()[0]) <= 4
    assert any("sends p0@" in line for line in lines)
    assert lines[-1] == f"again: python -m tests.simulation --seeds 1 --from {seed}"


def test_a_seed_is_the_same_scenario_every_time() -> None:
    first: list[str] = []
    second: list[str] = []
    for steps in (first, second):
        play(scenario_of(7, refusals=False), steps=steps)
    assert first == second


@pytest.fixture(scope="module")
def steps_of_all() -> str:
    steps: list[str] = []
    for seed in range(SCENARIOS):
        play(scenario_of(seed, refusals=False), REAL, steps=steps)
    return "\n".join(steps)


@pytest.mark.parametrize(
    "happening",
    [
        "is killed",
        "is stopped",
        "is cut off",
        "is drained",
        "gives its partitions up",
        "interrupted",
        "attempt 3",
        "Hold(",
        "everywhere=True",
        "reset, accepted",
        "arrives after its sender has gone",
        "which another worker owns",
        "a commit of a past generation: refused",
        "a commit: applied: True, confirmed: False",
        "a commit timed out waiting for the one before",
        "given up and late, settled elsewhere",
        "was removed from the group",
        "dead letters",
        "fetched before a rebalance, discarded",
        "nothing but offsets",
        "compacted away",
        "written again",
    ],
)
def test_the_scenarios_contain(happening: str, steps_of_all: str) -> None:
    assert happening in steps_of_all


@pytest.mark.parametrize(
    "happening",
    [
        "accepted in part, none refused",
        "accepted in part, the first refused",
        "accepted in part, the last refused",
        "accepted in part, one, twice refused",
        "accepted in part, some refused",
        "accepted in part, all refused",
        "accepted in part, an index beyond the last refused",
        "accepted in part, an index before the first refused",
        "accepted in part, one refused, and more accepted",
        "accepted in part, fewer accepted than sent",
        "the breaker says no",
        "the breaker says yes",
    ],
)
def test_the_scenarios_contain_partial_answers(happening: str, steps_of_all: str) -> None:
    assert happening in steps_of_all


BETWEEN = ("is killed", "gives its partitions up", "the breaker says no")


def between_refusal_and_storing(steps: list[str]) -> set[str]:
    """Return what befell a worker after an answer refused some of a body, and before it stored their dead letters."""
    refusing: set[str] = set()  # the lanes, as in "w0 lane 1"
    found: set[str] = set()
    for step in steps:
        text = step.split("  ", 2)[-1].strip()
        lane, _, told = text.partition(": ")
        if told.startswith("Done(refused=(RefusedRecord("):
            refusing.add(lane)
        elif told.startswith("stores "):
            refusing.discard(lane)
        else:
            worker = text.split(":")[0].split(" ")[0]
            hit = {each for each in refusing if each.split(" ")[0] == worker}
            found |= {happening for happening in BETWEEN if hit and happening in text}
            refusing -= hit if "is killed" in text or "gives its partitions up" in text else set()
    return found


@pytest.fixture(scope="module")
def refusing() -> tuple[Tally, set[str]]:
    """Play scenarios in which answers refuse records. Return their tally, and what they contain between."""
    tally, found = Tally(), set[str]()
    for seed in range(2 * SCENARIOS):
        steps: list[str] = []
        play(scenario_of(seed, refusals=True), tally=tally, steps=steps)
        found |= between_refusal_and_storing(steps)
    return tally, found


def test_the_scenarios_contain_everything_between_a_partial_answer_and_its_dead_letters(
    refusing: tuple[Tally, set[str]],
) -> None:
    assert refusing[1] == set(BETWEEN)


def test_in_the_scenarios_some_records_are_accepted_after_an_answer_refused_them(
    refusing: tuple[Tally, set[str]],
) -> None:
    assert refusing[0].late
