"""The actions that a lane returns for its driver to carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.messages import MessageBatch
    from pipeline.delivery.request_batch import RequestBatch
    from pipeline.kafka.dead_letters import DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send the records of a request batch, then report with `answered` or `interrupted`. ``attempt`` counts from 1."""

    request_batch: RequestBatch
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Store dead letters, then report with `stored` or `interrupted`."""

    letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Acknowledge message batches of which every message is accepted or stored as a dead letter."""

    batches: Sequence[MessageBatch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait until that time, or until a batch is accepted or a result is reported. `inf`: wait for an event only."""

    until: float


Action: TypeAlias = Send | Store | Acknowledge | Wait
