"""Dead letters: rejected messages, stored with the reason and their origin."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType, Protocol

from pipeline.kafka.letter_headers import letter_headers
from pipeline.kafka.producer import OutboundMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from enum import StrEnum

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Message
    from pipeline.kafka.producer import BatchProducer


NO_RULES: Final = b"none"


Stage = NewType("Stage", str)
"""The part of the pipeline that rejected a message. Each part defines its stage's name. It is stored in the
dead letter's headers and in a metric label, so the names are a closed set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One rejected message. ``reason`` is a member of the stage's closed enum.

    The key and the bytes of ``message`` are stored unchanged. ``destination`` is the one that was to get the event: a
    message that several processors reject has one letter for each. ``kind`` is the event's canonical kind, None where
    it is unknown. ``rules_version`` is that of the policy that decided; a sink has none. ``detail`` are the words of
    the decoder or the destination, which are cleaned and cut when the letter is stored.
    """

    stage: Stage
    destination: str
    reason: StrEnum
    message: Message
    kind: str | None = None
    detail: str | None = None
    rules_version: bytes = NO_RULES


class DeadLetterStore(Protocol):
    """Stores rejected messages."""

    @property
    def retrying(self) -> bool:
        """Whether a write is being retried."""

    @property
    def hold_reason(self) -> str | None:
        """Why nothing can be stored until an operator acts, as one sentence; None while letters can be stored."""

    @property
    def holds(self) -> Collection[HoldReason]:
        """The causes of the hold, for metrics."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters. Returning means that the broker has confirmed every one of them.

        Writes are retried for as long as the broker is away, so this may take long. It may be cancelled.
        """

    def repeats(self, source_partition: int) -> bool:
        """Return whether a write of a source partition's dead letters is being retried."""


class DeadLetterWriter:
    """Stores dead letters in a Kafka topic.

    Key and value are the rejected message's own bytes; `pipeline.kafka.letter_headers` builds the headers. A source
    partition's letters stay in one partition, in order.
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
        """Write to a topic that has `partitions` partitions.

        Args:
            producer: Writes the messages; it must be started.
            topic: The dead-letter topic.
            partitions: Its number of partitions.
            now_ms: Returns milliseconds since the epoch.
            on_stored: Called with a stage, a reason and the number of letters that were stored.
        """
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._now_ms = now_ms
        self._on_stored = on_stored

    @property
    def retrying(self) -> bool:
        """Whether a write is being retried."""
        return self._producer.retrying

    @property
    def hold_reason(self) -> str | None:
        """Why nothing can be stored until an operator acts; None while letters can be stored."""
        return self._producer.hold_reason

    @property
    def holds(self) -> Collection[HoldReason]:
        """The causes of the hold, for metrics."""
        return self._producer.holds

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters. Returning means that the broker has confirmed every one of them."""
        runs: dict[int, list[OutboundMessage]] = {}
        rejected_at = str(self._now_ms()).encode()
        for letter in letters:
            partition = letter.message.partition % self._partitions
            runs.setdefault(partition, []).append(_outbound(letter, rejected_at))
        await asyncio.gather(*(self._producer.write(self._topic, partition, run) for partition, run in runs.items()))
        for (stage, reason), count in Counter((letter.stage, letter.reason) for letter in letters).items():
            self._on_stored(stage, reason, count)

    def repeats(self, source_partition: int) -> bool:
        """Return whether a write of a source partition's dead letters is being retried."""
        return self._producer.repeats(self._topic, source_partition % self._partitions)


def _outbound(letter: DeadLetter, rejected_at: bytes) -> OutboundMessage:
    message = letter.message
    return OutboundMessage(message.key, message.value, None, letter_headers(letter, rejected_at=rejected_at))
