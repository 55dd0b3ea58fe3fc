from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.policy import Policy
from pipeline.core.processing import State
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.stream.line import ASK_AGAIN_SECONDS
from pipeline.stream.processor import Processor
from pipeline.stream.sorting import NOTHING_REMEMBERED, sort_batch
from tests.builders import encode, raw_event
from tests.fakes.stream import BOUND_SECONDS, TOPIC, FakeMessage
from tests.fakes.tracking import PlainTrackedUsers
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.core.outcomes import StateChange
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.kafka.producer import Entry


class Batch:
    """A record batch that notes its acknowledgement among the effects."""

    def __init__(self, effects: list[str], name: str, messages: Sequence[FakeMessage]) -> None:
        self.topic = TOPIC
        self.partition = messages[0].partition
        self.messages = messages
        self._effects = effects
        self._name = name

    def acknowledge(self) -> None:
        self._effects.append(f"acknowledged {self._name}")


class Stores:
    """Both stores of the processor; they confirm when the test lets them, or fail as it says."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()
        self.error: Exception | None = None
        self.letters = Letters(self, effects)

    async def store(self, source_partition: int, records: Sequence[Entry]) -> None:
        await self.confirm()
        self._effects.append(f"stored {len(records)} records of {source_partition}")

    async def confirm(self) -> None:
        await self.may_confirm.wait()
        if self.error is not None:
            raise self.error


class Letters:
    def __init__(self, stores: Stores, effects: list[str]) -> None:
        self._stores = stores
        self._effects = effects

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        await self._stores.confirm()
        if letters:
            self._effects.append(f"stored {len(letters)} letters")


class Remembering:
    """The memory of every partition; what it is given is confirmed when the test lets it."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self._users = PlainTrackedUsers()
        self.state = State(self._users)
        self.may_confirm = asyncio.Event()
        self.asked = asyncio.Event()

    def of(self, partition: int) -> Remembering:
        del partition
        return self

    def remember(self, change: StateChange) -> None:
        if change.mark is not None:
            self._users.mark(change.mark)

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None: ...

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None: ...

    async def store(self, partition: int, changes: Sequence[StateChange]) -> None:
        self.asked.set()
        await self.may_confirm.wait()
        self._effects.append(f"stored {len(changes)} changes of {partition}")


class Bench:
    def __init__(self, *, remembers: bool = False) -> None:
        self.effects: list[str] = []
        self.stores = Stores(self.effects)
        self.registry = CollectorRegistry()
        self.memories = Remembering(self.effects)
        self.processor = Processor(
            policy=Policy,
            records=self.stores,
            dead_letters=self.stores.letters,
            metrics=ProcessorMetrics(self.registry),
            rules_metrics=RulesMetrics(self.registry),
            breaker=Breaker(BreakerLimits(max_share=0.05, window=100)),
            retrying=lambda: False,
            memories=self.memories if remembers else NOTHING_REMEMBERED,
        )
        self.running = asyncio.create_task(self.processor.run())

    def accept(self, name: str, *, partition: int = 0, good: int = 1, bad: int = 0) -> None:
        body = encode(raw_event())
        run = [FakeMessage(offset=number, partition=partition, value=body) for number in range(good)]
        run += [FakeMessage(offset=good + number, partition=partition, value=b"{broken") for number in range(bad)]
        self.processor.accept(Batch(self.effects, name, run))

    async def settled(self) -> None:
        await self.processor.drain(deadline_seconds=BOUND_SECONDS)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"onesignal_pipeline_events_{name}")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await asyncio.sleep(0)
    yield bench
    bench.running.cancel()
    await asyncio.wait({bench.running})


async def test_a_batch_is_acknowledged_after_its_records_and_its_letters_are_stored(bench: Bench) -> None:
    bench.accept("first", good=2, bad=1)
    await bench.settled()
    assert bench.effects == ["stored 2 records of 0", "stored 1 letters", "acknowledged first"]


async def test_what_a_batch_changes_is_confirmed_before_any_record_or_letter_of_it_is_written() -> None:
    bench = Bench(remembers=True)
    await asyncio.sleep(0)
    bench.accept("first", good=2, bad=1)
    await asyncio.wait_for(bench.memories.asked.wait(), BOUND_SECONDS)
    await asyncio.sleep(0)
    assert bench.effects == [], "everything waits for what is remembered"
    bench.memories.may_confirm.set()
    bench.accept("second")
    await bench.settled()
    assert bench.effects == [
        "stored 1 changes of 0",
        "stored 2 records of 0",
        "stored 1 letters",
        "acknowledged first",
        "stored 0 changes of 0",
        "stored 1 records of 0",
        "acknowledged second",
    ]
    bench.running.cancel()
    await asyncio.wait({bench.running})


async def test_the_batches_of_a_partition_are_written_one_after_the_other(bench: Bench) -> None:
    bench.accept("first")
    bench.accept("second", good=2)
    await bench.settled()
    assert bench.effects == [
        "stored 1 records of 0",
        "acknowledged first",
        "stored 2 records of 0",
        "acknowledged second",
    ]


async def test_partitions_are_written_side_by_side(bench: Bench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first", partition=0)
    bench.accept("other", partition=1)
    bench.accept("second", partition=0)
    assert bench.processor.state().batches_in_hand == 3
    bench.stores.may_confirm.set()
    await bench.settled()
    assert set(bench.effects[:2]) == {"stored 1 records of 0", "stored 1 records of 1"}
    assert bench.processor.state().batches_in_hand == 0


async def test_a_drain_waits_no_longer_than_its_deadline(bench: Bench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first")
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=0.02)
    assert bench.effects == []


async def test_a_revocation_gives_up_what_is_not_written_in_time_and_never_acknowledges_it(bench: Bench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("first", good=2)
    bench.accept("second", good=3)
    bench.accept("other", partition=1)
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.02)
    bench.stores.may_confirm.set()
    await bench.settled()
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]
    assert (bench.metric("given_back_total"), bench.metric("in_flight")) == (5, 0)


async def test_a_partition_that_comes_back_starts_anew(bench: Bench) -> None:
    bench.stores.may_confirm.clear()
    bench.accept("given up")
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.0)
    bench.stores.may_confirm.set()
    bench.accept("again")
    await bench.settled()
    assert bench.effects == ["stored 1 records of 0", "acknowledged again"]


async def test_a_revocation_of_what_is_not_in_hand_ends_at_once(bench: Bench) -> None:
    await bench.processor.revoke([(TOPIC, 9)], timeout_seconds=60.0)
    assert bench.effects == []


async def test_a_fault_of_a_store_ends_the_run_and_nothing_is_acknowledged(bench: Bench) -> None:
    bench.stores.error = RuntimeError("not started")
    bench.accept("first")
    with pytest.raises(RuntimeError, match="not started"):
        await asyncio.wait_for(bench.running, BOUND_SECONDS)
    assert bench.effects == []


async def test_a_drain_after_a_fault_does_not_wait_for_what_will_never_be_written(bench: Bench) -> None:
    bench.stores.error = RuntimeError("not started")
    bench.accept("first")
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=60.0)
        await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=60.0)
    assert bench.effects == []


async def test_a_batch_given_before_the_run_is_a_mistake() -> None:
    bench = Bench()
    with pytest.raises(RuntimeError, match="not running"):
        bench.accept("early")
    bench.running.cancel()
    await asyncio.wait({bench.running})


async def test_received_is_forwarded_plus_rejected_plus_in_flight_plus_given_back(bench: Bench) -> None:
    bench.accept("first", good=3, bad=2)
    await bench.settled()
    bench.stores.may_confirm.clear()
    bench.accept("second", good=4)
    bench.accept("other", partition=1, good=5)
    await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=0.0)
    counted = {name: bench.metric(name) for name in ("received_total", "in_flight", "given_back_total")}
    assert counted == {"received_total": 14, "in_flight": 5, "given_back_total": 4}


async def test_a_batch_of_which_too_much_would_be_a_dead_letter_is_held_before_anything_is_written(
    bench: Bench,
) -> None:
    bench.accept("broken", good=89, bad=11)
    bench.accept("behind it", good=1)
    await bench.settled()
    assert bench.effects == []
    reason = bench.processor.state().hold_reason or ""
    assert "not_json" in reason
    assert "PIPELINE_DEAD_LETTER_MAX_SHARE" in reason
    assert (bench.processor.state().holds, bench.metric("in_flight")) == (frozenset({HoldReason.BREAKER}), 101)


async def test_a_few_bad_messages_hold_nothing(bench: Bench) -> None:
    bench.accept("first", bad=10, good=0)
    await bench.settled()
    assert bench.effects == ["stored 0 records of 0", "stored 10 letters", "acknowledged first"]
    assert bench.processor.state().hold_reason is None


async def test_a_drain_and_a_revocation_do_not_wait_for_what_is_held(bench: Bench) -> None:
    bench.accept("broken", bad=11, good=0)
    async with asyncio.timeout(BOUND_SECONDS):
        await bench.processor.drain(deadline_seconds=60.0)
        with structlog.testing.capture_logs() as lines:
            await bench.processor.revoke([(TOPIC, 0)], timeout_seconds=60.0)
    assert bench.effects == []
    assert (bench.processor.state().hold_reason, bench.processor.state().holds) == (None, frozenset())
    assert bench.metric("given_back_total") == 11
    assert lines == [{"event": "processor holds no more", "log_level": "info"}]


async def test_other_partitions_go_on_while_one_is_held_and_it_is_said_once(bench: Bench) -> None:
    with structlog.testing.capture_logs() as lines:
        bench.accept("broken", bad=11, good=0)
        bench.accept("also broken", partition=2, bad=11, good=0)
        bench.accept("other", partition=1)
        await bench.settled()
    assert bench.effects == ["stored 1 records of 1", "acknowledged other"]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["processor holds"]


def test_a_held_batch_goes_on_when_good_ones_of_other_partitions_make_it_few() -> None:
    async def story() -> list[str]:
        bench = Bench()
        await asyncio.sleep(0)
        bench.accept("first", bad=10, good=0)
        await bench.settled()
        bench.accept("held", bad=1, good=0)
        await bench.settled()
        assert bench.processor.state().hold_reason is not None
        bench.accept("good", partition=1, good=100)
        await asyncio.sleep(ASK_AGAIN_SECONDS + 1)
        assert bench.processor.state().hold_reason is None
        bench.running.cancel()
        await asyncio.wait({bench.running})
        return bench.effects

    assert run_virtual(story())[-1] == "acknowledged held"


async def test_rejects_that_a_setting_asks_for_are_no_alarm() -> None:
    anonymous = raw_event(external_id="")
    policy = Policy(anonymous_engagement=AnonymousPolicy.REJECT)
    run = [FakeMessage(offset=number, value=encode(anonymous)) for number in range(20)]
    tally = sort_batch(Batch([], "anonymous", run), policy).tally
    assert (tally.rejected.total(), tally.alarming) == (20, 0)
