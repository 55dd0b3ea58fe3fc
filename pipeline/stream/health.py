"""Alive and ready: what `/healthz` and `/readyz` answer.

Alive means that a restart would not help: the event loop answers, and no work lies undone without a known reason.
Ready means that events flow, or that there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.stream.work import WorkState


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One answer. `detail` is one sentence."""

    ok: bool
    detail: str


class Progress:
    """Knows how long work has been lying undone."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._now = now
        self._since = now()

    def made(self) -> None:
        """Note that something was done, or that there is nothing to do."""
        self._since = self._now()

    def seconds_without(self) -> float:
        """Return the seconds since something was done."""
        return self._now() - self._since


def judge_liveness(
    *,
    lag: int,
    waits_on_purpose: bool,
    broker_answers: bool,
    seconds_without_progress: float,
    stall_timeout_seconds: float,
) -> Health:
    """Say whether a worker is stuck: work lies undone, nothing holds it on purpose, and a restart could help."""
    if lag == 0:
        return Health(ok=True, detail="nothing waits")
    if seconds_without_progress < stall_timeout_seconds:
        return Health(ok=True, detail=f"working, last progress {seconds_without_progress:.0f} s ago")
    if waits_on_purpose:
        return Health(ok=True, detail="waiting on purpose, see /readyz")
    if not broker_answers:
        return Health(ok=True, detail="Kafka does not answer; a restart would not help")
    return Health(
        ok=False, detail=f"{lag} messages wait and nothing was committed for {seconds_without_progress:.0f} s: stuck"
    )


def judge_readiness(
    *,
    stopping: bool,
    fault: str | None,
    joined: bool,
    state: WorkState,
    complaint: str | None = None,
    note: str | None = None,
) -> Health:
    """Say whether events flow. `complaint` is what keeps some of them waiting until an operator acts.

    `note` is told beside the answer and changes nothing of it.
    """
    if fault is not None:
        return Health(ok=False, detail=fault)
    if stopping:
        return Health(ok=False, detail="stopping")
    if not joined:
        return Health(ok=False, detail="joining the consumer group")
    if complaint is not None or state.hold_reason is not None:
        return Health(ok=False, detail="; ".join(filter(None, (complaint, state.hold_reason))))
    detail = "retrying" if state.retrying else "ready"
    return Health(ok=True, detail=detail if note is None else f"{detail}; {note}")
