"""The batches that a lane has in hand, and how many of their messages are unsettled."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pipeline.delivery.request_batch import BatchInHand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pipeline.core.messages import MessageBatch, Partition


class InHand:
    """Count unsettled messages. A batch without any can be acknowledged."""

    def __init__(self) -> None:
        self._batches: defaultdict[Partition, list[BatchInHand]] = defaultdict(list)
        self._finished: list[BatchInHand] = []

    @property
    def messages(self) -> int:
        return sum(each.unsettled for batches in self._batches.values() for each in batches)

    @property
    def partitions(self) -> set[Partition]:
        """The partitions with unsettled messages."""
        return set(self.oldest)

    @property
    def oldest(self) -> dict[Partition, BatchInHand]:
        """The oldest batch of each partition with unsettled messages."""
        return {partition: batches[0] for partition, batches in self._batches.items() if batches}

    @property
    def size(self) -> int:
        return sum(each.size for batches in self._batches.values() for each in batches)

    @property
    def something_finished(self) -> bool:
        return bool(self._finished)

    def add(self, batch: MessageBatch, *, since: float) -> BatchInHand:
        """Add a batch. All its messages are unsettled."""
        size = sum(len(message.value or b"") for message in batch.messages)
        source = BatchInHand(batch=batch, since=since, size=size, unsettled=len(batch.messages))
        self._batches[source.partition].append(source)
        return source

    def settle(self, parts: Iterable[tuple[BatchInHand, int]]) -> None:
        """Count messages as accepted or stored. ``parts``: batches, each with a number of its messages."""
        for source, count in parts:
            source.unsettled -= count
            if source.unsettled == 0 and count:
                self._batches[source.partition].remove(source)
                self._finished.append(source)

    def take_finished(self) -> list[MessageBatch]:
        """Remove the batches that can be acknowledged, and return them."""
        finished, self._finished = self._finished, []
        return [source.batch for source in finished]

    def finished_of(self, partitions: Collection[Partition]) -> bool:
        """Return whether a batch of these partitions can be acknowledged and is not yet."""
        return any(source.partition in partitions for source in self._finished)

    def forget(self, partitions: Collection[Partition]) -> int:
        """Drop every batch of these partitions. Return how many messages were unsettled."""
        self._finished = [source for source in self._finished if source.partition not in partitions]
        return sum(source.unsettled for partition in partitions for source in self._batches.pop(partition, ()))
