"""Fakes of what writes to Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.kafka.producer import BatchProducer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import Handed, OutboundMessage


class KeptWrites(BatchProducer):
    """A producer that keeps every write as (topic, partition, messages) and confirms it at once."""

    def __init__(self) -> None:
        super().__init__({})
        self.writes: list[tuple[str, int, list[OutboundMessage]]] = []
        self.error: Exception | None = None

    async def hand_over(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> Handed | None:
        del topic, partition, messages
        return None

    async def write(
        self, topic: str, partition: int, messages: Sequence[OutboundMessage], *, handed: Handed | None = None
    ) -> None:
        assert handed is None
        if self.error is not None:
            raise self.error
        self.writes.append((topic, partition, list(messages)))
