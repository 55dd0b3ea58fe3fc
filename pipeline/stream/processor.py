"""The processor: decides raw messages and writes what comes of them, partition by partition, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.stream.line import Line, wait_idle
from pipeline.stream.sorting import JSON_ONLY, NOTHING_REMEMBERED, sort_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pipeline.core.breaker import Breaker, BreakerLimits
    from pipeline.core.messages import MessageBatch
    from pipeline.core.policy import Policy
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.kafka.producer import Entry
    from pipeline.metrics.processor import ProcessorMetrics
    from pipeline.metrics.rules import RulesMetrics
    from pipeline.stream.memory import MemoryStore
    from pipeline.stream.sorting import Formats, SortedBatch

logger = structlog.get_logger(__name__)

FOREIGN_KEY_WARNING_SECONDS = 60.0


class RecordStore(Protocol):
    """Where forwarded records go."""

    async def store(self, source_partition: int, records: Sequence[Entry]) -> None:
        """Store records in order; returning means the broker has confirmed every one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorState:
    """How the processor goes (`pipeline.stream.work.WorkState`)."""

    hold_reason: str | None
    holds: frozenset[HoldReason]
    retrying: bool
    batches_in_hand: int


class Processor:
    """Decides each batch when it comes, and writes the batches of a partition one after the other.

    Partitions are written side by side. A batch is acknowledged when its records and its dead letters are confirmed.
    A batch of which too much would become dead letters is held before anything of it is written.
    """

    def __init__(
        self,
        *,
        policy: Callable[[], Policy],
        records: RecordStore,
        dead_letters: DeadLetterStore,
        metrics: ProcessorMetrics,
        rules_metrics: RulesMetrics,
        breaker: Breaker,
        retrying: Callable[[], bool],
        hold_reason: Callable[[], str | None] = lambda: None,
        formats: Formats = JSON_ONLY,
        memories: MemoryStore = NOTHING_REMEMBERED,
    ) -> None:
        """Take stores, metrics, breaker, who gives the policy for a batch, and who knows of failed writes."""
        self._policy = policy
        self._formats = formats
        self._memories = memories
        self._rules_metrics = rules_metrics
        self._records = records
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._breaker = breaker
        self._retrying = retrying
        self._store_hold_reason = hold_reason
        self._lines: dict[tuple[str, int], Line] = {}
        self._fault: asyncio.Future[None] | None = None
        self._next_warning = 0.0
        self._held = False
        metrics.breaker.watch(breaker)

    async def run(self) -> None:
        """Work until cancelled; raise the first fault of any partition."""
        self._fault = asyncio.get_running_loop().create_future()
        try:
            await self._fault
        finally:
            await self.revoke(tuple(self._lines), timeout_seconds=0)

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        """Need nothing: a line is made when the first batch comes."""

    def accept(self, batch: MessageBatch) -> None:
        """Decide a batch and put it behind the others of its partition."""
        if self._fault is None:
            raise RuntimeError("the processor is not running")
        self._metrics.received(len(batch.messages))
        place = (batch.topic, batch.partition)
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = Line(self, self._fault)
        line.put(sort_batch(batch, self._policy(), self._formats, self._memories.of(batch.partition)))

    def objection(self, decided: SortedBatch) -> str | None:
        """Say why nothing of a batch may be written; None is a promise that it will be."""
        tally = decided.tally
        if self._breaker.admit(records=tally.received, bad=tally.alarming):
            return None
        return _too_many_rejects(self._breaker.limits, decided)

    def holds_changed(self) -> None:
        """Say once that the processor holds, and once that it goes on."""
        reason = self._hold_reason()
        held = reason is not None
        if held and not self._held:
            logger.error("processor holds", reason=reason)
        elif self._held and not held:
            logger.info("processor holds no more")
        self._held = held

    async def write(self, decided: SortedBatch) -> None:
        """Write a batch; returning means that it is confirmed and acknowledged. What it changes is stored first."""
        await self._memories.store(decided.batch.partition, decided.changes)
        await asyncio.gather(
            self._records.store(decided.batch.partition, decided.records),
            self._dead_letters.store(decided.letters),
        )
        tally = decided.tally
        self._metrics.settled(
            messages=tally.received, forwarded=tally.forwarded, dropped=tally.dropped, rejected=tally.rejected
        )
        self._rules_metrics.decided(tally.rules.kept, tally.rules.dropped, tally.rules.shadowed)
        if tally.filled:
            self._metrics.filled(tally.filled)
        if tally.untimed:
            self._metrics.untimed(tally.untimed)
        if tally.ignored_ids:
            self._metrics.ignored_ids(tally.ignored_ids)
        if tally.foreign_keys:
            self._metrics.foreign_keys(tally.foreign_keys)
            self._warn_of_foreign_keys(decided)
        decided.batch.acknowledge()
        logger.info(
            "batch processed",
            partition=decided.batch.partition,
            received=tally.received,
            forwarded=len(decided.records),
            dropped=tally.dropped.total(),
            rejected=len(decided.letters),
        )

    def _warn_of_foreign_keys(self, decided: SortedBatch) -> None:
        """Say once a minute that messages are not keyed by user."""
        now = asyncio.get_running_loop().time()
        if now < self._next_warning:
            return
        self._next_warning = now + FOREIGN_KEY_WARNING_SECONDS
        logger.warning(
            "messages are not keyed by their user, so the order of a user's events is not promised; key the raw topic "
            "by external_id, else subscription_id",
            partition=decided.batch.partition,
            foreign=decided.tally.foreign_keys,
            forwarded=len(decided.records),
        )

    async def drain(self, *, deadline_seconds: float) -> None:
        """Wait until everything in hand is written or held, or the time is over."""
        await wait_idle(tuple(self._lines.values()), deadline_seconds)

    async def revoke(self, partitions: Collection[tuple[str, int]], *, timeout_seconds: float) -> None:
        """Write what can be written within the time, then give the rest of these partitions up."""
        lines = [line for place in partitions if (line := self._lines.pop((place[0], place[1]), None))]
        await wait_idle(lines, timeout_seconds)
        for line in lines:
            self._metrics.given_back(await line.close())
        self.holds_changed()

    def state(self) -> ProcessorState:
        """Tell how the work goes."""
        return ProcessorState(
            hold_reason=self._hold_reason(),
            holds=self._holds(),
            retrying=self._retrying(),
            batches_in_hand=sum(line.length for line in self._lines.values()),
        )

    def _holds(self) -> frozenset[HoldReason]:
        lines_hold = any(line.hold_reason is not None for line in self._lines.values())
        causes = {HoldReason.BREAKER: lines_hold, HoldReason.MESSAGE_TOO_LARGE: self._store_hold_reason() is not None}
        return frozenset(reason for reason, holds in causes.items() if holds)

    def _hold_reason(self) -> str | None:
        held = (line.hold_reason for line in self._lines.values() if line.hold_reason is not None)
        return next(held, None) or self._store_hold_reason()


def _too_many_rejects(limits: BreakerLimits, decided: SortedBatch) -> str:
    reasons = ", ".join(sorted({reason.value for _, reason in decided.tally.rejected}))
    return (
        f"more than {limits.max_share:.4g} of the last {limits.window} messages would become dead letters, and none of"
        f" these was written (partition {decided.batch.partition}; the reasons are {reasons}). They wait in Kafka, with"
        " all that is behind them: if a setting refuses good events, correct it and restart; if they are really worth"
        " nothing, mend what writes them, for example OneSignal's event template, restart with"
        " PIPELINE_DEAD_LETTER_MAX_SHARE=1 until the dead-letter topic has them, then put it back"
    )
