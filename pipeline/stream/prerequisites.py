"""Obtain the prerequisites of a message batch before a sink sees it.

A sink reads each batch at once. So a batch whose prerequisites are missing waits here, and the later batches of the
same partition wait behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.kafka.prerequisites import Prerequisites
    from pipeline.runtime.status import StepStatus
    from pipeline.stream.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedStatus:
    """The status of the step and its prerequisites (`pipeline.runtime.status.StepStatus`)."""

    hold_reason: str | None
    holds: frozenset[HoldReason]
    retrying: bool
    on_purpose: Collection[Partition]


class PrerequisitesFirst:
    """A step in front of another one, which passes on only batches that can be read (`pipeline.stream.step.Step`)."""

    def __init__(self, step: Step, prerequisites: Prerequisites) -> None:
        """Start with nothing in hand. `prerequisites` are checked before `step` is given a batch."""
        self._step = step
        self._prerequisites = prerequisites
        self._waiting: dict[Partition, deque[MessageBatch]] = {}
        self._tasks: dict[Partition, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        self._fault: asyncio.Future[None] | None = None
        prerequisites.on_change = self._moved.set

    async def run(self) -> None:
        """Run the step until cancelled. Raises its fault, or that of a prerequisite which no retry can fix."""
        self._fault = asyncio.get_running_loop().create_future()
        step = asyncio.ensure_future(self._step.run())
        try:
            await asyncio.wait({step, self._fault}, return_when=asyncio.FIRST_COMPLETED)
            (self._fault if self._fault.done() else step).result()
        finally:
            for task in (step, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(step, *self._tasks.values(), return_exceptions=True)

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Start to obtain what every batch of these partitions will need."""
        for topic, number in partitions:
            if not self._prerequisites.are_met_for(number):
                self._begin((topic, number))
        self._step.assigned(partitions)

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Pass batches on, at once if nothing is missing and no earlier batch of their partition waits."""
        at_once = []
        for batch in batches:
            partition = (batch.topic, batch.partition)
            waiting = self._waiting.get(partition)
            if waiting is not None:
                waiting.append(batch)
            elif self._prerequisites.are_met(batch):
                at_once.append(batch)
            else:
                self._begin(partition, batch)
        if at_once:
            self._step.accept(*at_once, waited_seconds=waited_seconds)

    def _begin(self, partition: Partition, *batches: MessageBatch) -> None:
        self._waiting[partition] = deque(batches)
        task = self._tasks[partition] = asyncio.create_task(self._wait(partition))
        task.add_done_callback(self._report)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Settle what is in hand, except batches whose prerequisites are unavailable."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + deadline_seconds
        await self._until_handed_on(set(self._waiting), deadline_seconds)
        await self._step.drain(deadline_seconds=max(0.0, deadline - clock()))

    async def revoke(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, and drop what waits."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_seconds
        revoked = {(partition[0], partition[1]) for partition in partitions}
        await self._until_handed_on(revoked, timeout_seconds)
        tasks = [task for partition in revoked if (task := self._tasks.pop(partition, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for partition in revoked:
            self._waiting.pop(partition, None)
        await self._step.revoke(partitions, timeout_seconds=max(0.0, deadline - clock()))
        await self._prerequisites.forget(revoked)

    def status(self) -> StepStatus:
        """Return the status, with a hold of prerequisites before any other hold."""
        inner = self._step.status()
        return GuardedStatus(
            hold_reason=self._prerequisites.reason() or inner.hold_reason,
            holds=inner.holds | self._prerequisites.holds(),
            retrying=self._prerequisites.is_obtaining or inner.retrying,
            on_purpose={*self._waiting, *inner.on_purpose},
        )

    async def _wait(self, partition: Partition) -> None:
        waiting = self._waiting[partition]
        await self._prerequisites.obtain_for(partition)
        while waiting:
            await self._prerequisites.obtain(partition, waiting[0])
            self._step.accept(waiting.popleft())
        del self._waiting[partition], self._tasks[partition]

    async def _until_handed_on(self, revoked: Collection[Partition], seconds: float) -> None:
        """Wait until these partitions wait only for what is unavailable, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(
                    partition in self._waiting and self._prerequisites.reason(partition) is None
                    for partition in revoked
                ):
                    self._moved.clear()
                    await self._moved.wait()

    def _report(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)
        self._moved.set()
