"""What the sink tells about itself, for readiness, liveness and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """A look at the sink.

    ``hold_reason`` is one sentence that says what holds and what to check; None while nothing does.
    ``holding_since`` is in seconds since the epoch. ``retrying`` tells that a request waits to be repeated.
    ``batch_limit_bytes`` is the size of request that is in force, of all lanes.
    Partitions that wait ``on_purpose``, since something of them is held or repeated, are not stuck without progress.
    """

    hold_reason: str | None
    holds: frozenset[HoldReason]
    holding_since: float | None
    retrying: bool
    on_purpose: Collection[Partition]
    lanes_in_flight: int
    records_in_hand: int
    bytes_in_hand: int
    batch_limit_bytes: int

    @property
    def holding(self) -> bool:
        return self.hold_reason is not None
