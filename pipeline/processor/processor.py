"""The processor: decides raw messages and writes what comes of them, partition by partition, in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.prerequisites import Prerequisites
from pipeline.processor.deciding import JSON_ONLY, NO_STATE, decide_batch
from pipeline.processor.partition_queue import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pipeline.core.breaker import Breaker, BreakerLimits
    from pipeline.core.messages import MessageBatch, Partition
    from pipeline.core.policy import Policy
    from pipeline.kafka.dead_letters import DeadLetterStore
    from pipeline.kafka.producer import Handed, OutboundMessage
    from pipeline.metrics.processor import ProcessorMetrics
    from pipeline.processor.counts import ProcessorCounts
    from pipeline.processor.deciding import DecidedBatch, Formats
    from pipeline.processor.state import StateSource

    _Confirmations: TypeAlias = dict[asyncio.Future[Any], tuple[Line, DecidedBatch, Handed]]

logger = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS: Final = 5.0
"""How often a batch that is held asks whether it may go on: what other partitions bring may have changed the answer."""
MESSAGES_A_STEP: Final = 500
"""Messages that are decided between two looks at the event loop, and a batch: about twenty milliseconds of it."""


class RecordStore(Protocol):
    """Where forwarded records go."""

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        """Hand records over without waiting for anything; None where something is in the way."""

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        """Store records in order; returning means the broker has confirmed every one of them.

        `handed` is what came of an attempt to hand the same records over.
        """

    def repeats(self, source_partition: int) -> bool:
        """Return whether the storing of a source partition's records is being repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorStatus:
    """How the processor goes (`pipeline.stream.work.StepStatus`)."""

    hold_reason: str | None
    holds: frozenset[HoldReason]
    retrying: bool
    on_purpose: Collection[Partition]
    batches_in_hand: int


class Processor:
    """Decides the batches of a round when their turn comes, and writes what comes of them at once.

    A partition's batches follow one another; partitions are independent. A batch is acknowledged when its records and
    its dead letters are confirmed. It leaves its round, and delays no other partition, where it has to wait: for what
    it needs to be decided, for the breaker, for a write that is repeated. Nothing waits between the look at what a
    batch needs and its decision.
    """

    def __init__(
        self,
        *,
        policy: Callable[[], Policy],
        records: RecordStore,
        dead_letters: DeadLetterStore,
        metrics: ProcessorMetrics,
        counts: ProcessorCounts,
        breaker: Breaker,
        retrying: Callable[[], bool],
        hold_reason: Callable[[], str | None] = lambda: None,
        store_holds: Callable[[], Collection[HoldReason]] = frozenset,
        formats: Formats = JSON_ONLY,
        state: StateSource = NO_STATE,
        prerequisites: Prerequisites | None = None,
        patience_seconds: float = 30.0,
    ) -> None:
        """Start with nothing in hand.

        Args:
            policy: Returns the policy in force; called once for each batch, when its turn comes.
            records: Where records go.
            dead_letters: Where rejected messages go.
            metrics: Counts what comes in and is given back.
            counts: Counts what is settled.
            breaker: Decides whether a batch may have so many dead letters.
            retrying: Returns whether a write to Kafka is being repeated.
            hold_reason: Returns why Kafka refuses a write until somebody acts; None when it does not.
            store_holds: The same for metrics.
            formats: How messages are read, and records written.
            state: What is remembered of each partition.
            prerequisites: What a batch needs before it is decided.
            patience_seconds: A write that is not confirmed for so long leaves its round.
        """
        self._policy = policy
        self._formats = formats
        self._state = state
        self._prerequisites = prerequisites or Prerequisites()
        self._patience_seconds = patience_seconds
        self._records = records
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._counts = counts
        self._breaker = breaker
        self._retrying = retrying
        self._store_hold_reason = hold_reason
        self._store_holds = store_holds
        self._lines: dict[Partition, Line] = {}
        self._rounds: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._prerequisites.on_change = self._moved.set
        self._fault: asyncio.Future[None] | None = None
        self._held = False
        metrics.breaker.watch(breaker)

    async def run(self) -> None:
        """Work until cancelled; raise the first fault of any partition."""
        self._fault = asyncio.get_running_loop().create_future()
        try:
            await self._fault
        finally:
            await self.revoke(tuple(self._lines), timeout_seconds=0)
            self._counts.close()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Begin to obtain what every batch of these partitions will need."""
        for topic, number in partitions:
            if not self._prerequisites.are_met_for(number):
                line = self._line((topic, number))
                line.busy = True
                line.go_alone(self._prepare(line), self._report)

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        """Put batches behind the others of their partitions."""
        del waited_seconds
        if self._fault is None:
            raise RuntimeError("the processor is not running")
        for batch in batches:
            self._line((batch.topic, batch.partition)).waiting.append(batch)
        self._metrics.received(sum(len(batch.messages) for batch in batches))
        self._go_on()

    def _line(self, place: Partition) -> Line:
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = Line(place)
        return line

    # ---- A round.

    def _go_on(self) -> None:
        """Begin a round with the first batch of every partition that has one and is not at work."""
        self._moved.set()
        ready = [line for line in self._lines.values() if line.ready]
        if ready:
            for line in ready:
                line.busy = True
            task = asyncio.create_task(self._round(ready))
            self._rounds.add(task)
            task.add_done_callback(self._report)

    async def _round(self, lines: Sequence[Line]) -> None:
        """Decide the first batch of each partition and hand over what comes of it; settle each as it is confirmed."""
        handed: _Confirmations = {}
        decided_messages = 0
        for line in lines:
            if decided_messages > MESSAGES_A_STEP:
                decided_messages = 0
                await asyncio.sleep(0)
            if line.closed:
                continue
            if not self._prerequisites.are_met(line.waiting[0]):
                line.go_alone(self._alone(line), self._report)
                continue
            decided = self._decide(line)
            decided_messages += decided.tally.received
            if decided.letters or self._state.has_to_store(line.place[1], decided.changes):
                line.go_alone(self._alone(line, decided), self._report)
                continue
            await self._hand_over(line, decided, handed)
        await self._until_confirmed(handed)

    async def _hand_over(self, line: Line, decided: DecidedBatch, handed: _Confirmations) -> None:
        """Hand over what comes of a batch that waits for nothing else: it is in `handed` then, or goes alone."""
        self._breaker.note(records=decided.tally.received, bad=0)
        if not decided.records:
            self._settle([(line, decided)])
            return
        run = await self._records.hand_over(line.place[1], decided.records)
        if self._lines.get(line.place) is not line:  # given up meanwhile
            if run is not None:
                run.confirmation.cancel()
        elif run is not None:
            line.confirmation = run.confirmation
            handed[run.confirmation] = line, decided, run
        else:
            line.go_alone(self._write(line, decided), self._report)

    async def _until_confirmed(self, handed: _Confirmations) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience_seconds
        while handed:
            self._go_on()
            done, late = await asyncio.wait(
                handed, timeout=max(0.0, deadline - clock()), return_when=asyncio.FIRST_COMPLETED
            )
            settled: list[tuple[Line, DecidedBatch]] = []
            for confirmation in done or late:
                line, decided, run = handed.pop(confirmation)
                if confirmation in done and not confirmation.cancelled() and confirmation.exception() is None:
                    settled.append((line, decided))
                elif not line.closed:
                    line.confirmation = None
                    line.go_alone(self._write(line, decided, run), self._report)
            self._settle(settled)
        self._go_on()

    async def _prepare(self, line: Line) -> None:
        await self._prerequisites.obtain_for(line.place)
        line.busy, line.task = False, None
        self._go_on()

    async def _alone(self, line: Line, decided: DecidedBatch | None = None) -> None:
        """Wait for what one batch needs, for the breaker, and until it is written."""
        if decided is None:
            await self._prerequisites.obtain(line.place, line.waiting[0])
            decided = self._decide(line)
        while (objection := self._objection(decided)) is not None:
            self._hold(line, objection)
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        self._hold(line, None)
        await self._write(line, decided)

    async def _write(self, line: Line, decided: DecidedBatch, handed: Handed | None = None) -> None:
        """Write what comes of one batch; what it changes is stored first."""
        number = line.place[1]
        await self._state.store(number, decided.changes)
        await asyncio.gather(
            self._records.store(number, decided.records, handed), self._dead_letters.store(decided.letters)
        )
        self._settle([(line, decided)])
        self._go_on()

    def _decide(self, line: Line) -> DecidedBatch:
        batch = line.waiting[0]
        return decide_batch(batch, self._policy(), self._formats, self._state.of(batch.partition))

    def _objection(self, decided: DecidedBatch) -> str | None:
        """Say why nothing of a batch may be written; None is a promise that it will be."""
        tally = decided.tally
        if self._breaker.admit(records=tally.received, bad=tally.alarming):
            return None
        return _too_many_rejects(self._breaker.limits, decided)

    # ---- The end of a batch.

    def _settle(self, finished: Sequence[tuple[Line, DecidedBatch]]) -> None:
        """Acknowledge batches of which everything is confirmed."""
        finished = [each for each in finished if not each[0].closed]
        if not finished:
            return
        self._counts.settled([decided for _, decided in finished])
        for line, decided in finished:
            line.settled()
            decided.batch.acknowledge()

    def _report(self, task: asyncio.Task[None]) -> None:
        self._rounds.discard(task)
        self._moved.set()
        error = None if task.cancelled() else task.exception()
        if error is not None and self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)

    # ---- Holds, drains and revocations.

    def _hold(self, line: Line, reason: str | None) -> None:
        if reason != line.hold_reason:
            line.hold_reason = reason
            self._moved.set()
            self._tell_holds()

    def _tell_holds(self) -> None:
        """Log once that the processor holds, and once that it goes on."""
        reason = self._breaker_reason() or self._store_hold_reason()
        held = reason is not None
        if held and not self._held:
            logger.error("processor holds", reason=reason)
        elif self._held and not held:
            logger.info("processor holds no more")
        self._held = held

    async def drain(self, *, deadline_seconds: float) -> None:
        """Wait until everything in hand is written or held, or the time is over."""
        await self._until_at_rest(tuple(self._lines.values()), deadline_seconds)

    async def revoke(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Write what can be written within the time, then give the rest of these partitions up."""
        places = [(place[0], place[1]) for place in partitions]
        lines = [line for place in places if (line := self._lines.get(place)) is not None]
        await self._until_at_rest(lines, timeout_seconds)
        for line in lines:
            self._lines.pop(line.place, None)
            self._metrics.given_back(await line.close())
        await self._prerequisites.forget(places)
        self._tell_holds()

    async def _until_at_rest(self, lines: Sequence[Line], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(self._is_at_rest(line) for line in lines):
                    self._moved.clear()
                    await self._moved.wait()

    def _is_at_rest(self, line: Line) -> bool:
        broken = self._fault is None or self._fault.done()
        return broken or line.at_rest or self._prerequisites.reason(line.place) is not None

    def state(self) -> ProcessorStatus:
        """Tell how the work goes."""
        return ProcessorStatus(
            hold_reason=self._prerequisites.reason() or self._breaker_reason() or self._store_hold_reason(),
            holds=frozenset(self._holds()),
            retrying=self._retrying() or self._prerequisites.is_obtaining,
            on_purpose={place for place, line in self._lines.items() if self._waits_on_purpose(line)},
            batches_in_hand=sum(len(line.waiting) for line in self._lines.values()),
        )

    def _waits_on_purpose(self, line: Line) -> bool:
        if line.hold_reason is not None or self._prerequisites.is_obtaining_for(line.place):
            return True
        number = line.place[1]
        stores = (self._records, self._dead_letters, self._state)
        return line.task is not None and any(store.repeats(number) for store in stores)

    def _holds(self) -> Iterator[HoldReason]:
        yield from self._prerequisites.holds()
        if self._breaker_reason() is not None:
            yield HoldReason.BREAKER
        yield from self._store_holds()

    def _breaker_reason(self) -> str | None:
        return next((line.hold_reason for line in self._lines.values() if line.hold_reason is not None), None)


def _too_many_rejects(limits: BreakerLimits, decided: DecidedBatch) -> str:
    reasons = ", ".join(sorted({reason.value for _, reason in decided.tally.rejected}))
    return (
        f"more than {limits.max_share:.4g} of the last {limits.window} messages would become dead letters, and none of"
        f" these was written (partition {decided.batch.partition}; the reasons are {reasons}). They wait in Kafka, with"
        " all that is behind them: if a setting refuses good events, correct it and restart; if they are really worth"
        " nothing, mend what writes them, for example OneSignal's event template, restart with"
        " PIPELINE_DEAD_LETTER_MAX_SHARE=1 until the dead-letter topic has them, then put it back"
    )
