"""Play scenarios, and report what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.simulation.happenings import perform
from tests.simulation.parts import REAL
from tests.simulation.promises import BrokenPromiseError, Promise
from tests.simulation.scenario import scenario_of
from tests.simulation.shrinking import shortest
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.parts import Parts
    from tests.simulation.scenario import Scenario

REFUSALS: Final = True
"""Whether the destination refuses single records and large bodies: the lane must be able to take a batch apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A promise that a scenario broke."""

    promise: Promise
    text: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of what happened in many scenarios.

    ``late`` records were accepted after an answer had refused them: out of order, and counted separately.
    """

    seeds: int = 0
    accepted: int = 0
    repeated: int = 0
    late: int = 0
    virtual_seconds: float = 0.0


def play(
    scenario: Scenario, parts: Parts = REAL, *, steps: list[str] | None = None, tally: Tally | None = None
) -> Failure | None:
    """Play a scenario to its end; return None when every promise was kept."""
    world: World | None = None
    try:
        world = World(scenario.setup, parts, steps)
        for decision in scenario.decisions:
            perform(world, decision)
        world.end_faults()
    except BrokenPromiseError as error:
        return Failure(promise=error.promise, text=str(error))
    except Exception as error:  # noqa: BLE001 - whatever the machine raises is what is looked for
        return Failure(promise=Promise.NO_FAULT, text=f"{type(error).__name__}: {error}")
    if tally is not None:
        promises = world.broker.promises
        tally.seeds += 1
        tally.accepted += promises.accepted
        tally.repeated += promises.repeated
        tally.late += promises.late
        tally.virtual_seconds += world.now
    return None


def play_seed(seed: int, parts: Parts = REAL, *, refusals: bool = REFUSALS, tally: Tally | None = None) -> str | None:
    """Play a seed; return its shortest history when it breaks a promise."""
    scenario = scenario_of(seed, refusals=refusals)
    if play(scenario, parts, tally=tally) is None:
        return None
    return history(seed, scenario, parts)


def history(seed: int, scenario: Scenario, parts: Parts = REAL) -> str:
    """Find the shortest scenario that breaks the same promise, and describe its steps."""
    first = play(scenario, parts)
    if first is None:
        raise ValueError("this scenario keeps every promise")

    def breaks_the_same(candidate: Scenario) -> bool:
        failure = play(candidate, parts)
        return failure is not None and failure.promise is first.promise

    short = shortest(scenario, breaks_the_same)
    steps: list[str] = []
    failure = play(short, parts, steps=steps) or first
    return "\n".join(
        [
            f"seed {seed} breaks a promise: {failure.text}",
            f"{len(short.decisions)} of {len(scenario.decisions)} decisions are needed, in {short.setup}",
            *steps,
            f"          {failure.text}",
            f"again: python -m tests.simulation --seeds 1 --from {seed}",
        ]
    )
