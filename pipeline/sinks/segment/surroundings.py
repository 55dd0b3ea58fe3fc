"""What all lanes of a sink share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.metrics.segment import SegmentMetrics
    from pipeline.metrics.summary import Summary
    from pipeline.sinks.segment.doubts import Doubts
    from pipeline.sinks.segment.holds import Holds
    from pipeline.sinks.segment.pace import Pace
    from pipeline.sinks.segment.packing import LearntLimits
    from pipeline.sinks.segment.retry import RetryPolicy


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
    metrics: SegmentMetrics
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
