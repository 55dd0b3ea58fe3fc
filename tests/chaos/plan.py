"""How large the run is, and in which order the faults come: drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

UPHEAVALS: Final = (
    "zombie processor",
    "zombie sink",
    "broker frozen",
    "broker stopped and started",
    "broker killed and started",
    "network cut",
    "network silent",
    "network slow",
    "members come and go",
    "segment away",
    "rolling restart",
)
SICKNESSES: Final = (
    "429 with seconds",
    "429 with a date",
    "429 absurd",
    "500",
    "503",
    "no answer in time",
    "reset in mid-body",
    "taken, connection dropped",
    "taken, answer cut",
    "400 for single records",
    "400 for everything",
    "answers nobody knows",
    "401",
    "413 for large requests",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Sizes and times of a run. The events are spread over ``chaos_seconds``, which is what the faults take."""

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
        """The mean time between two kills."""
        return self.chaos_seconds / max(1, self.kills + 1)


def form(
    *, short: bool, seed: int, events: int | None = None, kills: int | None = None, rounds: int | None = None
) -> Form:
    """Choose the sizes; what is not given follows from the form."""
    times = rounds or 1
    chaos = 40.0 if short else 150.0
    return Form(
        events=events or (16_000 if short else 500_000),
        kills=kills if kills is not None else (6 if short else 50),
        rounds=times,
        seed=seed,
        short=short,
        chaos_seconds=chaos * times,
        limit_seconds=300.0 if short else 720.0 * times,
        churn_seconds=4.0 if short else 60.0,
        outage_seconds=1.5 if short else 4.0,
        lane_seconds=0.3 if short else 1.0,
    )


_ALIKE: Final = (("broker stopped and started", "broker killed and started"), ("network cut", "network silent"))


def upheavals(form: Form, chance: Random) -> list[str]:
    """Draw the upheavals of a run; the short form takes one of those that are alike."""
    left_out = {chance.choice(pair) for pair in _ALIKE} if form.short else set()
    return drawn(tuple(name for name in UPHEAVALS if name not in left_out), chance, rounds=form.rounds)


def drawn(names: tuple[str, ...], chance: Random, *, rounds: int) -> list[str]:
    """Put every fault into the run once a round, each round in an order of its own."""
    return [name for _ in range(rounds) for name in chance.sample(names, len(names))]
