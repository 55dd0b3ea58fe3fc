"""The health of the store that results are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipeline.core.hold_reasons import HoldReason


class StoreHealth(Protocol):
    """Whether writes to Kafka succeed (`pipeline.kafka.producer.BatchProducer`)."""

    @property
    def retrying(self) -> bool:
        """Whether a write is being retried."""

    @property
    def hold_reason(self) -> str | None:
        """What a broker refuses until an operator acts, as one sentence; None when it refuses nothing."""

    @property
    def holds(self) -> frozenset[HoldReason]:
        """The same for metrics, of every partition."""
