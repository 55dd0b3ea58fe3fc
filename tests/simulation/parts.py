"""The parts under test, so that a test can replace them with broken ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.delivery.exchange import Exchange
from pipeline.delivery.lane import Lane
from pipeline.stream.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The machines that every worker is built of."""

    ledger: Callable[..., Ledger] = Ledger
    lane: Callable[..., Lane] = Lane
    exchange: Callable[..., Exchange] = Exchange


REAL = Parts()
