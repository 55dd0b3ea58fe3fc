"""Hostile messages of both topics, by name, and what must become of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.hold_reasons import HoldReason
from tests.hostile.batches import Batch, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DELIVERED", "DROPPED", "UNSEEN", "Expected", "HostileMessage", "Outcome", "Topic", "held", "letter"]

MakeBatch: TypeAlias = Callable[[], Batch]
Change: TypeAlias = Callable[[bytes], bytes]
MEGABYTE: Final = 1_000_000


class Topic(StrEnum):
    """The topic of a message: the one that the processor reads, or the one that the sink reads."""

    RAW = "raw"
    RECORDS = "records"


class Outcome(StrEnum):
    """The outcome of a message."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    LETTER = "dead letter"
    HELD = "held"
    UNSEEN = "not seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An outcome, and the reason of the dead letter or of the hold; of several reasons, any is right."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as text."""
        return f"{self.outcome} ({' or '.join(self.reasons)})" if self.reasons else self.outcome.value


DELIVERED: Final = Expected(outcome=Outcome.DELIVERED)
DROPPED: Final = Expected(outcome=Outcome.DROPPED)
UNSEEN: Final = Expected(outcome=Outcome.UNSEEN)


def letter(*reasons: str) -> Expected:
    """Return the expectation that a message becomes a dead letter."""
    return Expected(outcome=Outcome.LETTER, reasons=reasons)


def held(*reasons: str) -> Expected:
    """Return the expectation that the message's partition is held, and no other."""
    return Expected(outcome=Outcome.HELD, reasons=reasons)


UNREADABLE: Final = held(getattr(HoldReason, "UNREADABLE", "unreadable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileMessage:
    """One kind of hostile message: a batch of it, and the outcome of each message in the batch.

    `stored` changes the batch in the broker's log, since no broker accepts it like that; it keeps the length.
    `aborted`: written in a transaction that is aborted. `heavy` ones take seconds each, and are not in the short form.
    `seen` is how many messages a worker sees of it.
    """

    name: str
    sort: str
    topic: Topic
    batch: MakeBatch = field(repr=False)
    expected: Expected
    stored: Change | None = field(default=None, repr=False)
    aborted: bool = False
    heavy: bool = False
    seen: int = 1


def of_values(
    sort: str, topic: Topic, values: Mapping[str, tuple[bytes | None, Expected]], key: bytes | None
) -> Iterable[HostileMessage]:
    """Build a message of each value."""
    for name, (value, expected) in values.items():
        yield of_record(name, sort, topic, Record(value=value, key=key), expected)


def always(batch: Batch) -> MakeBatch:
    """Return a function that always returns that batch."""
    return lambda: batch


def of_record(name: str, sort: str, topic: Topic, record: Record, expected: Expected) -> HostileMessage:
    """Build a message that is alone in its batch."""
    return HostileMessage(name=name, sort=sort, topic=topic, batch=lambda: Batch(records=[record]), expected=expected)
