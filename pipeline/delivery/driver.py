"""Drive a lane: do what it decides, and report what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.answers import answer_class, answer_name
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry, decide
from pipeline.delivery.holds import unknown_formats
from pipeline.metrics.delivery import AcceptedFlush
from pipeline.sinks.segment.body import build_body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.delivery.client import BatchClient
    from pipeline.delivery.lane import Lane
    from pipeline.delivery.request_batch import RequestBatch
    from pipeline.delivery.surroundings import Surroundings
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.metrics.delivery import Doubt

logger = structlog.get_logger(__name__)


class LaneDriver:
    """Run one lane on the event loop's clock."""

    def __init__(self, *, number: int, lane: Lane, client: BatchClient, shared: Surroundings) -> None:
        self.lane = lane
        self._number = number
        self._client = client
        self._shared = shared
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._work: asyncio.Task[Any] | None = None
        self._departed_at = 0.0
        self._ended = False

    async def run(self) -> None:
        """Do what the lane decides until cancelled. What is not an outcome is raised."""
        try:
            while True:
                await self._step()
        finally:
            self._ended = True
            self._moved.set()
            await self._client.close()

    def accept(self, batch: MessageBatch, *, waited_seconds: float = 0.0) -> None:
        """Hand a batch to the lane; it has waited already."""
        self.lane.accept(batch, since=self._now() - waited_seconds)
        self._tell_holds()
        self._wake.set()

    async def drain(self, *, deadline: float) -> None:
        """Send what is in hand, until nothing is left that can move before the deadline."""
        self.lane.draining = True
        try:
            self._wake.set()
            await self._until(lambda: self._next_move_at() > deadline, deadline=deadline)
        finally:
            self.lane.draining = False

    async def revoke(self, partitions: Collection[Partition], *, deadline: float) -> None:
        """Let the flight settle until the deadline, then take it off the wire and forget what is unsettled."""
        self.lane.withdraw(partitions)
        await self._until(
            lambda: not self.lane.carries(partitions) or self._next_move_at() > deadline, deadline=deadline
        )
        work = self._work if self.lane.flight.carries(partitions) else None
        self._shared.metrics.given_back(self.lane.forget(partitions))
        if work is not None:
            work.cancel()
            await asyncio.wait({work})
        self._tell_holds()
        self._wake.set()

    async def _step(self) -> None:
        match self.lane.next_action(now=self._now(), not_before=self._shared.not_before):
            case Send(flight=flight, attempt=attempt):
                await self._send(flight, attempt)
            case Store(letters=letters):
                await self._store(letters)
            case Acknowledge(batches=batches):
                self._acknowledge(batches)
            case Wait(until=until):
                await self._wait(until)
        self._tell_holds()
        self._moved.set()

    async def _send(self, flight: RequestBatch, attempt: int) -> None:
        started, limit_bytes = self._now(), self._shared.limits.max_bytes
        if attempt == 1:
            self._departed_at = started
        else:
            self._shared.summary.count(repeated=1)
        self._shared.pace.departed(records=flight.record_count, now=started)
        body = build_body(flight.records, sent_at=self._shared.wall_clock())
        request = asyncio.ensure_future(self._client.post(body))
        if not await self._completes(request):
            self.lane.interrupted(now=self._now())
            return
        response = request.result()
        self._shared.metrics.attempted(answer_class(response), seconds=self._now() - started)
        decision = decide(
            response,
            attempt=attempt,
            jitter=self._shared.chance(),
            now=self._shared.wall_clock(),
            policy=self._shared.policy,
        )
        log = logger.bind(
            lane=self._number,
            records=flight.record_count,
            bytes=len(body),
            attempts=attempt,
            answer=answer_name(response),
        )
        match decision:
            case Done(doubt=doubt):
                accepted = AcceptedFlush(
                    records=self.lane.flight.record_count,
                    body_bytes=len(body),
                    budget_bytes=limit_bytes,
                    attempts=attempt,
                    duration_seconds=self._now() - self._departed_at,
                    event_times=self.lane.flight.times,
                )
                self._shared.metrics.accepted(accepted, now=self._shared.wall_clock())
                self._tell_doubt(doubt)
                log.debug("segment batch accepted", duration_seconds=round(accepted.duration_seconds, 3))
                self._shared.summary.count(records=accepted.records, requests=1, bytes=accepted.body_bytes)
            case Retry(after_seconds=seconds, everywhere=everywhere):
                log.warning("segment request failed, trying again", after_seconds=round(seconds, 3))
                if everywhere:
                    self._shared.pause.extend(self._now() + seconds)
            case Hold(after_seconds=seconds):
                log.debug("segment request refused, trying again", after_seconds=round(seconds, 3))
            case Refuse(reason=reason):
                tell = log.debug if self.lane.apart else log.warning
                tell("segment refused records, looking for those at fault", reason=reason.value)
        limit_bytes = self._shared.limits.max_bytes
        self.lane.answered(decision, now=self._now())
        self._tell_limit(limit_bytes)

    async def _store(self, letters: Sequence[DeadLetter]) -> None:
        storing = asyncio.ensure_future(self._shared.dead_letters.store(letters))
        if not await self._completes(storing):
            self.lane.interrupted(now=self._now())
            return
        storing.result()
        reasons = Counter(letter.reason for letter in self.lane.flight.letters)
        for reason, count in reasons.items():
            self._shared.metrics.rejected(reason, count)
        self._shared.summary.count(rejected=reasons.total())
        told = {reason.value: count for reason, count in reasons.items()}
        logger.warning("records stored as dead letters", lane=self._number, reasons=told)
        self.lane.stored()

    def _acknowledge(self, batches: Sequence[MessageBatch]) -> None:
        for batch in batches:
            batch.acknowledge()
        self._shared.summary.count(batches=len(batches))
        self._shared.on_settled()

    async def _completes(self, work: asyncio.Task[Any]) -> bool:
        """Wait for work to end; False if it was cancelled from outside. It never outlives this call."""
        self._work = work
        try:
            await asyncio.wait({work})
        finally:
            self._work = None
            if work.cancel():
                await asyncio.wait({work})
        return not work.cancelled()

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
        return self.lane.next_move_at(not_before=self._shared.not_before)

    def _tell_holds(self) -> None:
        hold = self.lane.hold
        refused = () if hold is None else (hold.advice,)
        self._shared.holds.tell(self._number, (*refused, *unknown_formats(self.lane.unreadable)))

    def _tell_doubt(self, doubt: Doubt | None) -> None:
        self._shared.doubts.tell(doubt)
        if doubt is not None:
            self._shared.metrics.doubted(doubt)

    def _tell_limit(self, before: int) -> None:
        """Log that the limit of requests was lowered; the first time is a warning, the only one."""
        limit_bytes = self._shared.limits.max_bytes
        if limit_bytes < before:
            tell = logger.warning if before == self._shared.max_batch_bytes else logger.debug
            tell(
                "something on the way to Segment takes smaller requests than PIPELINE_SEGMENT_MAX_BATCH_BYTES; requests"
                " are smaller from now on",
                before_bytes=before,
                limit_bytes=limit_bytes,
            )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
