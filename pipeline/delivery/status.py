"""The status of a sink, for the status page, readiness, liveness and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """The status of a sink at one moment.

    Attributes:
        hold_reason: One sentence on why the sink holds and what to check; None while it does not.
        holds: Every cause to hold, for metrics.
        holding_since: In seconds since the epoch.
        retrying: Whether a request waits to be sent again.
        on_purpose: Partitions that hold or retry. They are not stuck, although they make no progress.
        lanes_in_flight: Lanes with a request in flight.
        records_in_hand: Unsettled records.
        bytes_in_hand: The bytes of the unsettled records.
        batch_limit_bytes: The current size limit of a request, for all lanes.
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
