"""Dead letters: rejected messages, stored with why and where from."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType, Protocol

from pipeline.kafka import headers
from pipeline.kafka.producer import OutboundMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from enum import StrEnum

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Message
    from pipeline.kafka.producer import BatchProducer


NO_RULES: Final = b"none"


Stage = NewType("Stage", str)
"""The part of the pipeline that rejected a message, by the name of its role. Each part defines its own; it is stored
in the dead letter's headers and a metric label, so the names are a closed set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One rejected message. ``reason`` is a member of the stage's closed enum.

    The original key and bytes are taken from ``message`` and never changed. ``rules_version`` is that of the policy
    that decided; a sink has none.
    """

    stage: Stage
    reason: StrEnum
    message: Message
    rules_version: bytes = NO_RULES


class DeadLetterStore(Protocol):
    """Where rejected messages are kept."""

    @property
    def retrying(self) -> bool:
        """Whether a write is being repeated."""

    @property
    def hold_reason(self) -> str | None:
        """Why nothing can be stored before somebody changes something, in one sentence; None while it can."""

    @property
    def holds(self) -> Collection[HoldReason]:
        """The causes of that, for metrics."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; returning means the broker has confirmed every one of them.

        It repeats for as long as the broker is away, so it may take long. It may be cancelled.
        """

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's dead letters is being repeated."""


class DeadLetterWriter:
    """Stores dead letters in a Kafka topic.

    The value and the key are the rejected message's own bytes. Headers tell the rest: `reason`, `stage`,
    `source-topic`, `source-partition`, `source-offset`, `rejected-at` (milliseconds since the epoch), `rules-version`
    and `format-version`, all as ASCII. A source partition's letters stay in one partition, in order.
    """

    def __init__(
        self,
        producer: BatchProducer,
        *,
        topic: str,
        partitions: int,
        now_ms: Callable[[], int],
        on_stored: Callable[[Stage, StrEnum, int], None] = lambda _stage, _reason, _letters: None,
    ) -> None:
        """Take a started producer, the topic with its number of partitions, the clock, and who counts letters."""
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._now_ms = now_ms
        self._on_stored = on_stored

    @property
    def retrying(self) -> bool:
        """Whether a write is being repeated."""
        return self._producer.retrying

    @property
    def hold_reason(self) -> str | None:
        """Why nothing can be stored before somebody changes something; None while it can."""
        return self._producer.hold_reason

    @property
    def holds(self) -> Collection[HoldReason]:
        """The causes of that, for metrics."""
        return self._producer.holds

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; returning means the broker has confirmed every one of them."""
        runs: dict[int, list[OutboundMessage]] = {}
        rejected_at = str(self._now_ms()).encode()
        for letter in letters:
            partition = letter.message.partition % self._partitions
            runs.setdefault(partition, []).append(self._outbound(letter, rejected_at))
        await asyncio.gather(*(self._producer.write(self._topic, partition, run) for partition, run in runs.items()))
        for (stage, reason), count in Counter((letter.stage, letter.reason) for letter in letters).items():
            self._on_stored(stage, reason, count)

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's dead letters is being repeated."""
        return self._producer.repeats(self._topic, source_partition % self._partitions)

    def _outbound(self, letter: DeadLetter, rejected_at: bytes) -> OutboundMessage:
        message = letter.message
        return OutboundMessage(
            key=message.key,
            value=message.value,
            timestamp_ms=None,
            headers=[
                (headers.REASON, letter.reason.value.encode()),
                (headers.STAGE, letter.stage.encode()),
                (headers.SOURCE_TOPIC, message.topic.encode()),
                (headers.SOURCE_PARTITION, b"%d" % message.partition),
                (headers.SOURCE_OFFSET, b"%d" % message.offset),
                (headers.REJECTED_AT, rejected_at),
                (headers.RULES_VERSION, letter.rules_version),
                (headers.FORMAT_VERSION, headers.DEAD_LETTER_FORMAT),
            ],
        )
