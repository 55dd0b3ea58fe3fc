"""The status of a role's step, as the status pages and the liveness check read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.hold_reasons import HoldReason


class StepStatus(Protocol):
    """What a step is doing now."""

    @property
    def hold_reason(self) -> str | None:
        """Why the step holds, as one sentence that says what to check; None when it does not hold."""

    @property
    def holds(self) -> frozenset[HoldReason]:
        """Every reason to hold, for metrics; empty when nothing holds."""

    @property
    def retrying(self) -> bool:
        """Whether something waits to be retried."""

    @property
    def on_purpose(self) -> Collection[tuple[str, int]]:
        """The partitions that hold or retry. Without progress they do not count as stuck."""
