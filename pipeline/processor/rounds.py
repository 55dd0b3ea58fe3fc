"""Rounds: the first batches of all partitions go through the processor together, so their writes share requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pipeline.processor.confirmations import Confirmations
from pipeline.processor.partition_queue import PartitionQueue
from pipeline.processor.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.processor.processor import Processor

MESSAGES_A_STEP: Final = 500
"""Messages decided between two turns of the event loop, plus one batch: about twenty milliseconds."""


class Rounds:
    """Calls `Processor.handle` with the batches of each partition in order; partitions are independent.

    A batch leaves its round, and delays no other partition, when it has to wait: for a prerequisite, for the breaker,
    for its state to be stored, or for a write that is retried.
    """

    def __init__(
        self,
        processor: Processor,
        *,
        patience_seconds: float,
        on_change: Callable[[], None],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        """Start without partitions.

        Args:
            processor: Handles batches.
            patience_seconds: A write that is not confirmed after this long leaves its round.
            on_change: Called when something has moved on.
            on_fault: Called with an error that no retry can mend.
        """
        self.queues: dict[Partition, PartitionQueue] = {}
        self._processor = processor
        self._patience_seconds = patience_seconds
        self._on_change = on_change
        self._on_fault = on_fault
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, batches: Iterable[MessageBatch]) -> None:
        """Append batches to the queues of their partitions, and start what can start."""
        for batch in batches:
            self._queue((batch.topic, batch.partition)).waiting.append(batch)
        self._start()

    def prepare(self, partition: Partition, preparation: Coroutine[None, None, None]) -> None:
        """Let the batches of a partition wait until its preparation is over."""
        queue = self._queue(partition)
        queue.busy = True
        self._go_alone(queue, self._prepare(queue, preparation))

    async def give_up(self, partitions: Iterable[Partition]) -> int:
        """Stop all writes of partitions, and forget them; return how many messages were not settled."""
        queues = [queue for partition in partitions if (queue := self.queues.get(partition)) is not None]
        unsettled = 0
        for queue in queues:
            self.queues.pop(queue.partition, None)
            unsettled += await queue.close()
        return unsettled

    def _queue(self, partition: Partition) -> PartitionQueue:
        queue = self.queues.get(partition)
        if queue is None:
            queue = self.queues[partition] = PartitionQueue(partition)
        return queue

    def _start(self) -> None:
        """Start a round with the first batch of every partition that has one and is not busy."""
        self._on_change()
        ready = [queue for queue in self.queues.values() if queue.waiting and not queue.busy]
        if ready:
            for queue in ready:
                queue.busy = True
            task = asyncio.create_task(self._round(ready))
            self._tasks.add(task)
            task.add_done_callback(self._on_end)

    async def _round(self, queues: Sequence[PartitionQueue]) -> None:
        """Process the first batch of each partition as far as possible without waiting; settle what is confirmed."""
        confirmations = Confirmations()
        decided_messages = 0
        for queue in queues:
            if decided_messages > MESSAGES_A_STEP:
                decided_messages = 0
                await asyncio.sleep(0)
            if queue.closed:
                continue
            turn = queue.turn = Turn(queue.waiting[0])
            if await self._processor.handle(turn):
                queue.settled()
            else:
                self._wait_for(queue, turn, confirmations)
            if turn.decided is not None:
                decided_messages += turn.decided.tally.received
        await self._settle(confirmations)

    def _wait_for(self, queue: PartitionQueue, turn: Turn, confirmations: Confirmations) -> None:
        """Wait for the confirmation of what was handed over; a batch that waits for anything else goes on alone."""
        if queue.closed:  # revoked while its records were handed over
            turn.cancel()
        elif turn.handed is not None:
            confirmations.add(turn.handed.confirmation, queue)
        else:
            self._go_alone(queue, self._alone(queue, turn))

    async def _settle(self, confirmations: Confirmations) -> None:
        """Acknowledge what the broker confirms, and let the rest go on alone."""
        self._start()
        deadline = asyncio.get_running_loop().time() + self._patience_seconds
        while queues := await confirmations.next(deadline):
            turns = [(queue, queue.turn) for queue in queues if queue.turn is not None]
            confirmed = [(queue, turn) for queue, turn in turns if turn.is_confirmed and not queue.closed]
            if confirmed:
                self._processor.acknowledge([turn for _, turn in confirmed])
            for queue, _ in confirmed:
                queue.settled()
            for queue, turn in turns:
                if queue.turn is turn and not queue.closed:
                    self._go_alone(queue, self._alone(queue, turn))
            self._start()

    async def _alone(self, queue: PartitionQueue, turn: Turn) -> None:
        """Process the rest of one batch, waiting for whatever it needs."""
        turn.may_wait = True
        await self._processor.handle(turn)
        queue.settled()
        self._start()

    async def _prepare(self, queue: PartitionQueue, preparation: Coroutine[None, None, None]) -> None:
        await preparation
        queue.released()
        self._start()

    def _go_alone(self, queue: PartitionQueue, way: Coroutine[None, None, None]) -> None:
        queue.go_alone(way, self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._on_change()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_fault(error)
