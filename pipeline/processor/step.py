"""The processor as the step of a worker (`pipeline.stream.step.Step`)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.hold_reasons import HoldReason
from pipeline.processor.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.kafka.store_health import StoreHealth
    from pipeline.metrics.processor import ProcessorMetrics
    from pipeline.processor.partition_queue import PartitionQueue
    from pipeline.processor.processor import Processor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorStatus:
    """The status of the processor (`pipeline.runtime.status.StepStatus`)."""

    hold_reason: str | None
    holds: frozenset[HoldReason]
    retrying: bool
    on_purpose: Collection[Partition]


class ProcessorStep:
    """Accepts batches, and settles or gives up what is in hand when a worker drains or partitions are revoked."""

    def __init__(
        self, processor: Processor, *, store: StoreHealth, metrics: ProcessorMetrics, patience_seconds: float = 30.0
    ) -> None:
        """Start with nothing in hand.

        Args:
            processor: Handles batches.
            store: The health of the store that records and dead letters are written to.
            metrics: Counts what is received and given back.
            patience_seconds: A write that is not confirmed after this long counts as being retried.
        """
        self._processor = processor
        self._prerequisites = processor.prerequisites
        self._admission = processor.admission
        self._store = store
        self._metrics = metrics
        self._moved = asyncio.Event()
        self._fault: asyncio.Future[None] | None = None
        self._rounds = Rounds(
            processor, patience_seconds=patience_seconds, on_change=self._moved.set, on_fault=self._on_fault
        )
        self._prerequisites.on_change = self._admission.on_change = self._moved.set
        metrics.breaker.watch(self._admission.breaker)

    async def run(self) -> None:
        """Run until cancelled. Raises the first fault of any partition."""
        self._fault = asyncio.get_running_loop().create_future()
        try:
            await self._fault
        finally:
            await self.revoke(tuple(self._rounds.queues), timeout_seconds=0)
            self._processor.close()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Start to obtain what every batch of these partitions will need."""
        for topic, number in partitions:
            if not self._prerequisites.are_met_for(number):
                self._rounds.prepare((topic, number), self._prerequisites.obtain_for((topic, number)))

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Queue batches behind the others of their partitions."""
        del waited_seconds
        if self._fault is None:
            raise RuntimeError("the processor is not running")
        self._metrics.received(sum(len(batch.messages) for batch in batches))
        self._rounds.put(batches)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Wait until everything in hand is settled or holds, or the time is over."""
        await self._until_at_rest(tuple(self._rounds.queues.values()), deadline_seconds)

    async def revoke(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, then give up the rest of these partitions."""
        revoked = [(partition[0], partition[1]) for partition in partitions]
        queues = [queue for partition in revoked if (queue := self._rounds.queues.get(partition)) is not None]
        await self._until_at_rest(queues, timeout_seconds)
        self._metrics.given_back(await self._rounds.give_up(queue.partition for queue in queues))
        await self._processor.forget(revoked)

    async def _until_at_rest(self, queues: Sequence[PartitionQueue], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(self._is_at_rest(queue) for queue in queues):
                    self._moved.clear()
                    await self._moved.wait()

    def _is_at_rest(self, queue: PartitionQueue) -> bool:
        """Return whether nothing more of a partition will be settled soon."""
        broken = self._fault is None or self._fault.done()
        return broken or not queue.waiting or self._hold_reason(queue.partition) is not None

    def _hold_reason(self, partition: Partition | None = None) -> str | None:
        return self._prerequisites.reason(partition) or self._admission.reason(partition)

    def status(self) -> ProcessorStatus:
        """Return whether the processor holds or retries, and which partitions wait because of that."""
        return ProcessorStatus(
            hold_reason=self._hold_reason() or self._store.hold_reason,
            holds=frozenset(self._holds()),
            retrying=self._store.retrying or self._prerequisites.is_obtaining,
            on_purpose={partition for partition, queue in self._rounds.queues.items() if self._waits_on_purpose(queue)},
        )

    def _holds(self) -> Iterator[HoldReason]:
        yield from self._prerequisites.holds()
        if self._admission.reason() is not None:
            yield HoldReason.BREAKER
        yield from self._store.holds

    def _waits_on_purpose(self, queue: PartitionQueue) -> bool:
        partition = queue.partition
        if self._admission.reason(partition) is not None or self._prerequisites.is_obtaining_for(partition):
            return True
        return queue.task is not None and self._processor.retries(partition[1])

    def _on_fault(self, error: BaseException) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)
