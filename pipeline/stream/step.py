"""The contract between the stream and a role: the processor and every sink implement `Step`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.runtime.status import StepStatus


class Step(Protocol):
    """Accepts message batches, and acknowledges each one when all of its effects are confirmed."""

    async def run(self) -> None:
        """Run until cancelled. Raises what no retry can fix: the worker then ends, and nothing more is acknowledged."""

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        """Called when partitions are assigned, before their first batch. Must not block."""

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Called with the batches of a round, one for each partition. Must not block; what is in hand is bounded.

        `waited_seconds` is how long the oldest message may have waited in Kafka to be fetched.
        """

    async def drain(self, *, deadline_seconds: float) -> None:
        """Settle everything in hand now, without waiting for timers. Return when it is settled or the time is over."""

    async def revoke(self, partitions: Collection[tuple[str, int]], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, then give up the rest of these partitions for good."""

    def status(self) -> StepStatus:
        """Return whether the step holds or retries."""
