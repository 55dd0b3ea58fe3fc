"""Fakes around the processor: its stores, its state, and the prerequisites of its batches."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import State
from pipeline.kafka.producer import Handed
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.processor.admission import Admission
from pipeline.processor.counts import ProcessorCounts
from pipeline.processor.deciding import NO_STATE
from pipeline.processor.processor import Processor
from pipeline.processor.step import ProcessorStep
from tests.builders import SEGMENT, encode, raw_event
from tests.fakes.stream import BOUND_SECONDS, TOPIC, FakeMessage
from tests.fakes.tracking import PlainTrackedUsers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from pipeline.core.messages import MessageBatch
    from pipeline.core.outcomes import StateChange
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.kafka.prerequisites import Prerequisites
    from pipeline.kafka.producer import OutboundMessage
    from pipeline.kafka.store_health import StoreHealth


PATIENCE_SECONDS = 30.0
STEPS = 50
"""More turns of the event loop than anything needs that waits neither for time nor for an event."""
WANTED = Policy(records=SEGMENT, rules=preset_rules(Preset.ENGAGEMENT_ONLY))
"""Forwards the good events of `ProcessorBench.batch`."""


class Effects(list[str]):
    """What happened, in order; ``news`` is set when something did."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def append(self, effect: str) -> None:
        super().append(effect)
        self.news.set()


class Batch:
    """A message batch whose acknowledgement is one of the effects."""

    def __init__(self, effects: list[str], name: str, messages: Sequence[FakeMessage]) -> None:
        self.topic = TOPIC
        self.partition = messages[0].partition
        self.messages = messages
        self._effects = effects
        self._name = name

    def acknowledge(self) -> None:
        self._effects.append(f"acknowledged {self._name}")


class Stores:
    """Both stores of the processor. The test decides when they confirm or fail."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()
        self.error: Exception | None = None
        self.takes_at_once = True
        self.repeating: set[int] = set()
        self.resumed: list[int] = []
        self.fail_once: Exception | None = None
        self._alone: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.letters = Letters(self, effects)

    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None:
        if not self.takes_at_once:
            return None
        confirmation = asyncio.ensure_future(self.store(source_partition, records))
        return Handed(confirmation, producer=None, batch_bytes=0)

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None:
        if handed is not None:
            self.resumed.append(source_partition)
        if self.fail_once is not None:
            error, self.fail_once = self.fail_once, None
            raise error
        await self.confirm(source_partition)
        self._effects.append(f"stored {len(records)} records of {source_partition}")

    def repeats(self, source_partition: int) -> bool:
        return source_partition in self.repeating

    def confirm_alone(self, partition: int) -> None:
        """Confirm what was or will be written to one partition."""
        self._alone[partition].set()

    async def confirm(self, partition: int = 0) -> None:
        ways = [asyncio.ensure_future(event.wait()) for event in (self.may_confirm, self._alone[partition])]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        if self.error is not None:
            raise self.error


class Letters:
    """The store of dead letters; they are confirmed with the records."""

    retrying = False
    hold_reason: str | None = None
    holds: Collection[HoldReason] = ()

    def __init__(self, stores: Stores, effects: list[str]) -> None:
        self._stores = stores
        self._effects = effects
        self.repeating: set[int] = set()

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        await self._stores.confirm()
        if letters:
            self._effects.append(f"stored {len(letters)} letters")

    def repeats(self, source_partition: int) -> bool:
        return source_partition in self.repeating


class Remembering:
    """The state of every partition; changes are confirmed when the test allows it.

    In the partitions of `due` something must be stored though a batch changes nothing.
    """

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self._users = PlainTrackedUsers()
        self.state = State(self._users)
        self.may_confirm = asyncio.Event()
        self.asked = asyncio.Event()
        self.repeating: set[int] = set()
        self.due: set[int] = set()

    def of(self, partition: int) -> Remembering:
        del partition
        return self

    def remember(self, change: StateChange) -> None:
        if change.mark is not None:
            self._users.mark(change.mark)

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None: ...

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None: ...

    def has_to_store(self, partition: int, changes: Sequence[StateChange]) -> bool:
        return bool(changes) or partition in self.due

    def repeats(self, partition: int) -> bool:
        return partition in self.repeating

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        self.asked.set()
        await self.may_confirm.wait()
        self._effects.append(f"stored {len(changes)} changes of {partition}")


class Needed:
    """A prerequisite of one partition (`pipeline.kafka.prerequisites.Prerequisite`), available when the test allows."""

    words = "what is needed"
    hold = HoldReason.STATE_AWAY

    def __init__(self, *, partition: int) -> None:
        self._partition = partition
        self._is_there = False
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None
        self.forgotten: list[int] = []
        self.asked = 0
        self.asking = asyncio.Event()

    def missing_for(self, partition: int) -> set[int]:
        return {partition} if partition == self._partition and not self._is_there else set()

    def missing(self, batch: MessageBatch) -> set[int]:
        return self.missing_for(batch.partition)

    async def obtain(self, item: int) -> None:
        assert item == self._partition
        self.asked += 1
        self.asking.set()
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        self._is_there = True

    async def forget(self, partitions: Collection[int]) -> None:
        self.forgotten += partitions


class Health:
    """The health of the store (`pipeline.kafka.store_health.StoreHealth`), as the test sets it."""

    def __init__(self) -> None:
        self.retrying = False
        self.hold_reason: str | None = None

    @property
    def holds(self) -> frozenset[HoldReason]:
        return frozenset({HoldReason.MESSAGE_TOO_LARGE} if self.hold_reason else ())


def build_step(
    *,
    metrics: ProcessorMetrics,
    breaker: Breaker,
    store: StoreHealth | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    **parts: Any,
) -> ProcessorStep:
    """Return the step of a processor with these parts."""
    store = store or Health()
    processor = Processor(admission=Admission(breaker, store), **parts)
    return ProcessorStep(processor, store=store, metrics=metrics, patience_seconds=patience_seconds)


class ProcessorBench:
    """A running processor between fakes."""

    def __init__(
        self, *, remembers: bool = False, policy: Policy | None = None, prerequisites: Prerequisites | None = None
    ) -> None:
        self.policies = [policy or Policy(records=SEGMENT)]
        self.decided_by: list[str] = []
        self.effects = Effects()
        self.stores = Stores(self.effects)
        self.registry = CollectorRegistry()
        self.state = Remembering(self.effects)
        self.health = Health()
        self.mishaps: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, mishap: self.mishaps.append(mishap))
        metrics = ProcessorMetrics(self.registry, destination="segment")
        self.counts = ProcessorCounts(metrics, RulesMetrics(self.registry, destination="segment"))
        self.processor = build_step(
            policy=self._policy,
            records=self.stores,
            dead_letters=self.stores.letters,
            metrics=metrics,
            counts=self.counts,
            breaker=Breaker(BreakerLimits(max_share=0.05, window=100)),
            store=self.health,
            state=self.state if remembers else NO_STATE,
            prerequisites=prerequisites,
            patience_seconds=PATIENCE_SECONDS,
        )
        self.running = asyncio.create_task(self.processor.run())

    @property
    def batches_in_hand(self) -> int:
        return sum(len(queue.waiting) for queue in self.processor._rounds.queues.values())

    def _policy(self) -> Policy:
        self.decided_by.append(self.policies[-1].version)
        return self.policies[-1]

    def accept_round(self, names: Mapping[str, int]) -> None:
        """Accept batches of one good event each, of several partitions at once."""
        self.processor.accept(*(self.batch(name, partition=partition) for name, partition in names.items()))

    async def acknowledged(self, name: str) -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            while f"acknowledged {name}" not in self.effects:
                self.effects.news.clear()
                await self.effects.news.wait()

    def batch(self, name: str, *, partition: int = 0, good: int = 1, bad: int = 0, unwanted: int = 0) -> Batch:
        """Return a batch of events that are delivered, broken, or dropped by `WANTED`."""
        bodies = [encode(raw_event())] * good + [b"{broken"] * bad + [encode(raw_event("message.push.sent"))] * unwanted
        run = [FakeMessage(offset=offset, partition=partition, value=body) for offset, body in enumerate(bodies)]
        return Batch(self.effects, name, run)

    def accept(self, name: str, *, partition: int = 0, good: int = 1, bad: int = 0) -> None:
        self.processor.accept(self.batch(name, partition=partition, good=good, bad=bad))

    async def end(self) -> None:
        """Cancel the run, and wait until it has ended."""
        self.running.cancel()
        await asyncio.wait({self.running})

    async def settled(self) -> None:
        await self.processor.drain(deadline_seconds=BOUND_SECONDS)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"onesignal_pipeline_events_{name}", {"destination": "segment"})

    def breaker_share(self) -> float | None:
        return self.registry.get_sample_value("onesignal_pipeline_breaker_share_ratio", {"destination": "segment"})


async def as_far_as_it_goes() -> None:
    """Run all tasks until each of them waits, also on a slow machine."""
    for _ in range(STEPS):
        await asyncio.sleep(0)


@asynccontextmanager
async def processing(
    *, remembers: bool = False, policy: Policy | None = None, prerequisites: Prerequisites | None = None
) -> AsyncIterator[ProcessorBench]:
    """Run a processor, and fail if any callback raised."""
    bench = ProcessorBench(remembers=remembers, policy=policy, prerequisites=prerequisites)
    await asyncio.sleep(0)
    yield bench
    await bench.end()
    assert bench.mishaps == []
