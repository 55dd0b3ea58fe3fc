"""What a seed means: a small world, and what happens in it, drawn once from one random generator."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What can happen. `pick` selects the target and `amount` is how much, both modulo what exists."""

    WRITE = "write"
    WRITE_AGAIN = "write again"
    LEAVE_A_GAP = "leave a gap"
    COMPACT = "compact"
    FETCH = "fetch"
    ANSWER = "answer"
    STORE = "store"
    COMMIT = "commit"
    WAIT = "wait"
    HEARTBEAT = "heartbeat"
    START = "start"
    KILL = "kill"
    DRAIN = "drain"
    REBALANCE = "rebalance"
    CUT_OFF = "cut off"
    STOP = "stop"
    HEAL = "heal"
    ACKNOWLEDGE = "acknowledge out of turn"
    BREAKER = "the breaker changes its mind"


class Decision(NamedTuple):
    """One thing that happens. If it is `eager`, the workers react before the next one."""

    kind: Kind
    pick: int
    amount: int
    eager: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The world before anything happens."""

    partitions: int
    workers: int
    lanes: int
    max_batch_records: int
    max_batch_bytes: int
    max_messages_in_hand: int
    max_fetch: int
    jitter: float
    lossy: bool
    """Whether many answers are lost after the destination has accepted."""
    any_order: bool
    """Whether batches may also be settled in any order, and late, as by a sink without lanes."""
    unsendable: bool
    """Whether some records cannot be sent at all."""
    poisoned: bool
    """Whether the destination refuses some records permanently."""
    destination_max_bytes: int
    """Larger bodies are answered with 413."""
    api: str
    """Whether the destination is not Segment: its answers may accept in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A setup and its decisions."""

    setup: Setup
    decisions: tuple[Decision, ...]


MAX_RECORD_BYTES: Final = 255
MAX_BODY_BYTES: Final = 6_500
PICKS: Final = 1 << 10
AMOUNTS: Final = 1 << 30

_EVERYDAY: Final = {
    Kind.WRITE: 12,
    Kind.FETCH: 24,
    Kind.ANSWER: 30,
    Kind.STORE: 4,
    Kind.COMMIT: 14,
    Kind.WAIT: 14,
}
_FAULTS: Final = {
    Kind.WRITE_AGAIN: 2,
    Kind.LEAVE_A_GAP: 2,
    Kind.COMPACT: 1,
    Kind.HEARTBEAT: 6,
    Kind.KILL: 1,
    Kind.DRAIN: 1,
    Kind.REBALANCE: 3,
    Kind.CUT_OFF: 2,
    Kind.STOP: 2,
    Kind.ACKNOWLEDGE: 4,
    Kind.BREAKER: 4,
}
_RESTLESS: Final = {Kind.ACKNOWLEDGE: 25, Kind.REBALANCE: 8, Kind.HEARTBEAT: 16}
_CONSEQUENCES: Final = {Kind.START: 2, Kind.HEAL: 2}
_STEPS: Final = (40, 80, 120)


def scenario_of(seed: int, *, refusals: bool) -> Scenario:
    """Draw a scenario. Each has some kinds of faults and omits others, so that rare combinations occur too.

    Args:
        seed: Any number.
        refusals: Whether the destination may refuse single records (400) and large bodies (413). Two of three
            scenarios have a destination that accepts requests in part.
    """
    chance = random.Random(seed)
    setup = Setup(
        partitions=chance.randint(1, 4),
        workers=chance.randint(1, 3),
        lanes=chance.randint(1, 2),
        max_batch_records=chance.choice((1, 2, 3, 5, 50)),
        max_batch_bytes=chance.choice((355, 610, MAX_BODY_BYTES)),
        max_messages_in_hand=chance.choice((1, 3, 8, 20)),
        max_fetch=chance.choice((1, 3, 7)),
        jitter=chance.choice((0.0, 0.5, 0.99)),
        lossy=chance.random() < 0.4,
        any_order=chance.random() < 0.2,
        unsendable=chance.random() < 0.4,
        poisoned=refusals and chance.random() < 0.4,
        destination_max_bytes=chance.choice((325, MAX_BODY_BYTES)) if refusals else MAX_BODY_BYTES,
        api=("segment", "array", "mixpanel")[seed % 3],
    )
    weights = {kind: weight * chance.choice((0.5, 1.0, 2.0)) for kind, weight in _EVERYDAY.items()}
    for kind, weight in _FAULTS.items():
        if chance.random() < 0.5:
            weights[kind] = weight * chance.choice((1, 3))
    if setup.any_order:
        weights |= _RESTLESS
    weights |= _CONSEQUENCES
    kinds = chance.choices(list(weights), list(weights.values()), k=chance.choice(_STEPS))
    laziness = chance.choice((0.0, 0.3, 0.7))
    decisions = tuple(
        Decision(kind, int(chance.random() * PICKS), int(chance.random() * AMOUNTS), chance.random() >= laziness)
        for kind in kinds
    )
    return Scenario(setup=setup, decisions=decisions)
