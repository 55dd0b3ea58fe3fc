"""What all lanes of a sink share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.delivery.decisions import RetryPolicy
    from pipeline.delivery.doubts import Doubts
    from pipeline.delivery.holds import Holds
    from pipeline.delivery.pace import Pace
    from pipeline.delivery.packing import LearntLimits
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.metrics.delivery import DeliveryMetrics
    from pipeline.metrics.summary import Summary


@dataclass(slots=True, kw_only=True)
class Pause:
    """A time, on the event loop's clock, before which no lane sends: Segment asked for it."""

    until: float = 0.0

    def extend(self, until: float) -> None:
        """Wait at least until then."""
        self.until = max(self.until, until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all lanes of a sink share. ``max_batch_bytes`` is the setting; ``limits`` hold what is in force."""

    policy: RetryPolicy
    max_batch_bytes: int
    limits: LearntLimits
    dead_letters: DeadLetterStore
    metrics: DeliveryMetrics
    holds: Holds
    doubts: Doubts
    pause: Pause
    pace: Pace
    summary: Summary
    on_settled: Callable[[], None]
    wall_clock: Callable[[], float]
    chance: Callable[[], float]

    @property
    def not_before(self) -> float:
        """When a lane may send again, on the event loop's clock."""
        return max(self.pause.until, self.pace.ready_at)
