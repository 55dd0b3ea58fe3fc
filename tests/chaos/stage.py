"""What the lanes of faults share."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.chaos.crew import Crew
    from tests.chaos.destinations import ChaosDestination
    from tests.chaos.ledger import Ledger
    from tests.chaos.plan import Form
    from tests.chaos.proxy import Proxy
    from tests.chaos.sampler import Sampler
    from tests.chaos.stand_ins import ChaosStandIn
    from tests.chaos.writer import Writer
    from tests.kafka_server import KafkaServer

SESSION_SECONDS = 3
POLL_INTERVAL_SECONDS = 4
REQUEST_TIMEOUT_SECONDS = 1


@dataclass(slots=True, kw_only=True)
class Side:
    """One destination of a run.

    ``lock`` is held by the lane that decides what the destination answers. ``affected`` counts the requests that each
    of its faults has affected, ``unsampled`` counts the reasons why Kafka could not be sampled, and ``disruptions``
    what makes only its workers repeat records, except kills.
    """

    destination: ChaosDestination
    stand_in: ChaosStandIn
    sampler: Sampler
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    affected: Counter[str] = field(default_factory=Counter)
    unsampled: Counter[str] = field(default_factory=Counter)
    disruptions: int = 0

    @property
    def ledger(self) -> Ledger:
        """Return what was written for it, and what has arrived."""
        return self.sampler.ledger


@dataclass(slots=True, kw_only=True)
class Stage:
    """All parts of a run, with the counts of its faults.

    ``go`` is set while faults may be injected. ``disruptions`` counts what makes all workers repeat records.
    """

    form: Form
    chance: Random
    kafka: KafkaServer
    proxy: Proxy
    sides: Sequence[Side]
    crew: Crew
    writer: Writer
    tell: Callable[[str], None]
    injected: Counter[str] = field(default_factory=Counter)
    disruptions: int = 0
    broken: list[str] = field(default_factory=list)
    lag_after_churn_seconds: list[float] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lag(self) -> int:
        """Return how many messages no group of a destination has committed yet."""
        return sum(side.sampler.lag for side in self.sides)

    @property
    def samples(self) -> int:
        """Return how often each destination was sampled, at least."""
        return min(side.ledger.samples for side in self.sides)

    def inject(self, name: str, detail: str = "") -> None:
        """Report that a fault begins."""
        self.injected[name] += 1
        self.tell(f"{name}{': ' if detail else ''}{detail}")

    async def rest(self, seconds: float | None = None) -> None:
        """Wait without a new fault, for a random time around the given one."""
        mean = self.form.lane_seconds if seconds is None else seconds
        await asyncio.sleep(self.chance.uniform(0.4, 1.6) * mean)
        await self.go.wait()
