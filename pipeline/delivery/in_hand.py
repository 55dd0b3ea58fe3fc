"""The batches that a lane has in hand, and how much of each is settled."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pipeline.delivery.request_batch import BatchInHand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pipeline.core.messages import MessageBatch, Partition


class InHand:
    """Count down what is unsettled. A batch of which nothing is unsettled waits to be acknowledged."""

    def __init__(self) -> None:
        self._batches: defaultdict[Partition, list[BatchInHand]] = defaultdict(list)
        self._finished: list[BatchInHand] = []

    @property
    def messages(self) -> int:
        return sum(held.unsettled for batches in self._batches.values() for held in batches)

    @property
    def partitions(self) -> set[Partition]:
        """The partitions of which something is unsettled."""
        return set(self.oldest)

    @property
    def oldest(self) -> dict[Partition, BatchInHand]:
        """The oldest batch of each partition of which something is unsettled."""
        return {partition: batches[0] for partition, batches in self._batches.items() if batches}

    @property
    def size(self) -> int:
        return sum(held.size for batches in self._batches.values() for held in batches)

    @property
    def something_finished(self) -> bool:
        return bool(self._finished)

    def add(self, batch: MessageBatch, *, since: float) -> BatchInHand:
        """Take a batch in hand."""
        held = BatchInHand(batch=batch, since=since, size=0, unsettled=len(batch.messages))
        held.size = sum(len(message.value or b"") for message in batch.messages)
        self._batches[held.partition].append(held)
        return held

    def settle(self, parts: Iterable[tuple[BatchInHand, int]]) -> None:
        """Count messages of some batches as accepted or stored."""
        for held, count in parts:
            held.unsettled -= count
            if held.unsettled == 0 and count:
                self._batches[held.partition].remove(held)
                self._finished.append(held)

    def take_finished(self) -> list[MessageBatch]:
        """Take the batches that can be acknowledged."""
        finished, self._finished = self._finished, []
        return [held.batch for held in finished]

    def finished_of(self, partitions: Collection[Partition]) -> bool:
        """Tell whether a batch of some partitions waits to be acknowledged."""
        return any(held.partition in partitions for held in self._finished)

    def forget(self, partitions: Collection[Partition]) -> int:
        """Drop every batch of some partitions; return how many messages were unsettled."""
        self._finished = [held for held in self._finished if held.partition not in partitions]
        return sum(held.unsettled for partition in partitions for held in self._batches.pop(partition, ()))
