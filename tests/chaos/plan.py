"""The size of a run, and the order of its faults: drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

DISRUPTIONS: Final = (
    "zombie processors",
    "zombie sinks",
    "broker frozen",
    "broker stopped and started",
    "broker killed and started",
    "network cut",
    "network silent",
    "network slow",
    "members come and go",
    "destination unavailable",
    "rolling restart",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Sizes and times of a run. The events are spread over ``chaos_seconds``, the duration of the faults."""

    events: int
    kills: int
    rounds: int
    seed: int
    short: bool
    chaos_seconds: float
    limit_seconds: float
    churn_seconds: float
    outage_seconds: float
    lane_seconds: float

    @property
    def kill_gap_seconds(self) -> float:
        """Return the mean time between two kills."""
        return self.chaos_seconds / max(1, self.kills + 1)


def form(
    *, short: bool, seed: int, events: int | None = None, kills: int | None = None, rounds: int | None = None
) -> Form:
    """Choose the sizes. What is not given follows from the form."""
    times = rounds or 1
    chaos = 40.0 if short else 150.0
    return Form(
        events=events or (16_000 if short else 500_000),
        kills=kills if kills is not None else (8 if short else 50),
        rounds=times,
        seed=seed,
        short=short,
        chaos_seconds=chaos * times,
        limit_seconds=180.0 if short else 900.0 * times,
        churn_seconds=4.0 if short else 60.0,
        outage_seconds=1.5 if short else 4.0,
        lane_seconds=0.3 if short else 1.0,
    )


_ALIKE: Final = (("broker stopped and started", "broker killed and started"), ("network cut", "network silent"))


def disruptions(form: Form, chance: Random) -> list[str]:
    """Draw the disruptions of a run; the short form has one of each pair of similar ones."""
    omitted = {chance.choice(pair) for pair in _ALIKE} if form.short else set()
    return drawn(tuple(name for name in DISRUPTIONS if name not in omitted), chance, rounds=form.rounds)


def drawn(names: tuple[str, ...], chance: Random, *, rounds: int) -> list[str]:
    """Repeat every fault once a round, each round in its own order."""
    return [name for _ in range(rounds) for name in chance.sample(names, len(names))]
