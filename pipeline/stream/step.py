"""What the stream asks of a role: the processor and every sink keep this contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.runtime.status import StepStatus


class Step(Protocol):
    """Takes record batches and acknowledges each one when every effect of it is confirmed."""

    async def run(self) -> None:
        """Work until cancelled. Raises what no retry can mend: the worker then ends, nothing more is acknowledged."""

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        """Called when partitions are assigned, before their first batch. Must not block."""

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Called with the batches of a round, each of another partition. Must not block: what is in hand is bound.

        `waited_seconds` is how long the oldest message may have waited in Kafka to be fetched.
        """

    async def drain(self, *, deadline_seconds: float) -> None:
        """Settle everything in hand now, without waiting for timers; return when settled or when the time is over."""

    async def revoke(self, partitions: Collection[tuple[str, int]], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, then give the rest of these partitions up for good."""

    def status(self) -> StepStatus:
        """Tell how the work goes."""
