"""Drive a lane: carry out its actions, and report the results to it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Retry
from pipeline.metrics.delivery import AcceptedFlush

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.delivery.client import RequestClient
    from pipeline.delivery.exchange import Exchange
    from pipeline.delivery.lane import Lane
    from pipeline.delivery.pace import Pace
    from pipeline.delivery.report import DeliveryReport
    from pipeline.delivery.request_batch import RequestBatch
    from pipeline.kafka.dead_letters import DeadLetter, DeadLetterStore


class LaneDriver:
    """Run one lane on the event loop's clock.

    Args:
        number: Of the lane, for logs.
        lane: Returns the actions.
        client: The lane's connection.
        exchange: Builds bodies and decides on answers.
        pace: The rate of all lanes.
        dead_letters: Stores the records that cannot be delivered.
        report: Counts and logs.
        on_settled: Called after batches were acknowledged.
    """

    def __init__(
        self,
        *,
        number: int,
        lane: Lane,
        client: RequestClient,
        exchange: Exchange,
        pace: Pace,
        dead_letters: DeadLetterStore,
        report: DeliveryReport,
        on_settled: Callable[[], None],
    ) -> None:
        self.lane = lane
        self._number = number
        self._client = client
        self._exchange = exchange
        self._pace = pace
        self._dead_letters = dead_letters
        self._report = report
        self._on_settled = on_settled
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._in_flight: asyncio.Task[Any] | None = None
        self._departed_at = 0.0
        self._ended = False

    async def run(self) -> None:
        """Carry out the lane's actions until cancelled. An error that is not an outcome is raised."""
        try:
            while True:
                await self._step()
        finally:
            self._ended = True
            self._moved.set()
            await self._client.close()

    def accept(self, batch: MessageBatch, *, waited_seconds: float = 0.0) -> None:
        """Add a batch to the lane. Its flush interval began ``waited_seconds`` ago."""
        self.lane.accept(batch, since=self._now() - waited_seconds)
        self._report.held(self._number, self.lane)
        self._wake.set()

    async def drain(self, *, deadline: float) -> None:
        """Send without waiting for full requests. Return when no more can be sent before the deadline."""
        self.lane.draining = True
        try:
            self._wake.set()
            await self._until(lambda: self._next_move_at() > deadline, deadline=deadline)
        finally:
            self.lane.draining = False

    async def revoke(self, partitions: Collection[Partition], *, deadline: float) -> None:
        """Let the request settle until the deadline; then cancel it and forget the unsettled records."""
        self.lane.withdraw(partitions)
        await self._until(
            lambda: not self.lane.carries(partitions) or self._next_move_at() > deadline, deadline=deadline
        )
        in_flight = self._in_flight if self.lane.request_batch.carries(partitions) else None
        self._report.given_back(self.lane.forget(partitions))
        if in_flight is not None:
            in_flight.cancel()
            await asyncio.wait({in_flight})
        self._report.held(self._number, self.lane)
        self._wake.set()

    async def _step(self) -> None:
        match self.lane.next_action(now=self._now(), not_before=self._pace.ready_at):
            case Send(request_batch=request_batch, attempt=attempt):
                await self._send(request_batch, attempt)
            case Store(letters=letters):
                await self._store(letters)
            case Acknowledge(batches=batches):
                self._acknowledge(batches)
            case Wait(until=until):
                await self._wait(until)
        self._report.held(self._number, self.lane)
        self._moved.set()

    async def _send(self, request_batch: RequestBatch, attempt: int) -> None:
        started, limit_bytes = self._now(), self._report.limit_bytes
        self._departed_at = started if attempt == 1 else self._departed_at
        records = request_batch.record_count
        self._pace.departed(records=records, now=started)
        self._report.departed(attempt=attempt)
        body = self._exchange.body(request_batch.records)
        request = asyncio.ensure_future(self._client.post(body))
        if not await self._completes(request):
            self.lane.interrupted(now=self._now())
            return
        response, now = request.result(), self._now()
        self._report.answered(response, seconds=now - started)
        decision = self._exchange.decide(
            response, attempt=attempt, sent_records=records, unclear_before=self.lane.unclear_answers
        )
        self._report.decided(
            decision,
            response,
            lane=self._number,
            attempt=attempt,
            records=records,
            size=len(body),
            dissecting=self.lane.dissecting,
        )
        if isinstance(decision, Retry) and decision.everywhere:
            self._pace.pause(until=now + decision.after_seconds)
        accepted = self.lane.answered(decision, now=now)
        if isinstance(decision, Done) and (accepted.runs or not decision.refused):
            flush = AcceptedFlush(
                records=accepted.record_count,
                body_bytes=len(body),
                budget_bytes=limit_bytes,
                budget_records=self._exchange.api.limits.max_records,
                attempts=attempt,
                duration_seconds=now - self._departed_at,
                event_times=accepted.times,
            )
            self._report.accepted(flush, response, decision.doubt, lane=self._number)
        self._report.limit_checked()

    async def _store(self, letters: Sequence[DeadLetter]) -> None:
        storing = asyncio.ensure_future(self._dead_letters.store(letters))
        if not await self._completes(storing):
            self.lane.interrupted(now=self._now())
            return
        storing.result()
        self._report.stored(self.lane.request_batch.letters, lane=self._number)
        self.lane.stored()

    def _acknowledge(self, batches: Sequence[MessageBatch]) -> None:
        for batch in batches:
            batch.acknowledge()
        self._report.acknowledged(batches)
        self._on_settled()

    async def _completes(self, task: asyncio.Task[Any]) -> bool:
        """Wait for a task; return False if it was cancelled by `revoke`. The task never outlives this call."""
        self._in_flight = task
        try:
            await asyncio.wait({task})
        finally:
            self._in_flight = None
            if task.cancel():
                await asyncio.wait({task})
        return not task.cancelled()

    async def _wait(self, until: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if until == float("inf") else until):
                await self._wake.wait()

    async def _until(self, condition: Callable[[], bool], *, deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not (self._ended or condition()):
                    self._moved.clear()
                    await self._moved.wait()

    def _next_move_at(self) -> float:
        return self.lane.next_move_at(not_before=self._pace.ready_at)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
