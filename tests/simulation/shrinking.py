"""Find the shortest scenario that still fails: delta debugging over decisions, then simpler ones, a smaller world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.scenario import Decision, Scenario, Setup

_MAX_TRIES: Final = 3_000


def shortest(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Return the smallest failing scenario that is found within a bounded number of attempts."""
    tries = _MAX_TRIES

    def still_fails(candidate: Scenario) -> bool:
        nonlocal tries
        tries -= 1
        return tries >= 0 and fails(candidate)

    before = None
    while scenario != before:
        before = scenario
        scenario = _without_decisions(scenario, still_fails)
        scenario = _first_of(_smaller_setups, scenario, still_fails)
        scenario = _first_of(_plainer_decisions, scenario, still_fails)
    return scenario


def _without_decisions(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Remove runs of decisions while it still fails, halving the length of a run down to single decisions."""
    length = len(scenario.decisions)
    while length:
        start = 0
        while start < len(scenario.decisions):
            kept = scenario.decisions[:start] + scenario.decisions[start + length :]
            candidate = replace(scenario, decisions=kept)
            if fails(candidate):
                scenario = candidate
            else:
                start += length
        length //= 2
    return scenario


def _first_of(
    variants: Callable[[Scenario], Iterator[Scenario]], scenario: Scenario, fails: Callable[[Scenario], bool]
) -> Scenario:
    """Replace a scenario by its first failing variant, again and again, until no variant fails."""
    found: Scenario | None = scenario
    while found is not None:
        scenario = found
        found = next((candidate for candidate in variants(scenario) if fails(candidate)), None)
    return scenario


def _smaller_setups(scenario: Scenario) -> Iterator[Scenario]:
    setup = scenario.setup
    smaller: list[Setup] = [
        replace(setup, **{field: getattr(setup, field) - 1})
        for field in ("partitions", "workers", "lanes")
        if getattr(setup, field) > 1
    ]
    smaller += [
        replace(setup, **cast("Any", {field: False}))
        for field in ("lossy", "any_order", "unsendable", "poisoned")
        if getattr(setup, field)
    ]
    for candidate in smaller:
        yield replace(scenario, setup=candidate)


def _plainer_decisions(scenario: Scenario) -> Iterator[Scenario]:
    for index, decision in enumerate(scenario.decisions):
        for plainer in _plainer(decision):
            decisions = (*scenario.decisions[:index], plainer, *scenario.decisions[index + 1 :])
            yield replace(scenario, decisions=decisions)


def _plainer(decision: Decision) -> Iterator[Decision]:
    if not decision.eager:
        yield decision._replace(eager=True)
    if decision.pick:
        yield decision._replace(pick=0)
    if decision.amount:
        yield decision._replace(amount=0)
    if decision.amount > 1:
        yield decision._replace(amount=1)
