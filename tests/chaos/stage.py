"""What the lanes of faults share."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.chaos.crew import Crew
    from tests.chaos.plan import Form
    from tests.chaos.proxy import Proxy
    from tests.chaos.sampler import Names, Sampler
    from tests.chaos.segment import ChaosSegment
    from tests.chaos.writer import Writer
    from tests.kafka_server import KafkaServer

SESSION_SECONDS = 3
POLL_INTERVAL_SECONDS = 4
REQUEST_TIMEOUT_SECONDS = 1


@dataclass(slots=True, kw_only=True)
class Stage:
    """All parts of a run, with the counts of its faults.

    ``go`` is set while faults may be injected; ``segment_lock`` is held by the lane that decides what Segment answers.
    ``affected`` counts the requests that each fault of Segment has affected, and ``disruptions`` what makes workers
    repeat records, except kills. ``unsampled`` counts the reasons why Kafka could not be sampled.
    """

    form: Form
    chance: Random
    kafka: KafkaServer
    proxy: Proxy
    segment: ChaosSegment
    crew: Crew
    writer: Writer
    sampler: Sampler
    names: Names
    tell: Callable[[str], None]
    injected: Counter[str] = field(default_factory=Counter)
    affected: Counter[str] = field(default_factory=Counter)
    unsampled: Counter[str] = field(default_factory=Counter)
    disruptions: int = 0
    broken: list[str] = field(default_factory=list)
    lag_after_churn_seconds: list[float] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    segment_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def inject(self, name: str, detail: str = "") -> None:
        """Report that a fault begins."""
        self.injected[name] += 1
        self.tell(f"{name}{': ' if detail else ''}{detail}")

    async def rest(self, seconds: float | None = None) -> None:
        """Wait without a new fault, for a random time around the given one."""
        mean = self.form.lane_seconds if seconds is None else seconds
        await asyncio.sleep(self.chance.uniform(0.4, 1.6) * mean)
        await self.go.wait()
