"""A whole run of a worker, from its start to its exit code, with a fake app."""

from __future__ import annotations

import asyncio
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.hold_reasons import HoldReason
from pipeline.runtime.errors import WorkerError
from pipeline.runtime.health import Health, Undone
from pipeline.stream.hidden import LogEnds
from pipeline.stream.watching import ENDS_SECONDS
from tests.fakes.stream import TOPIC, messages, tp
from tests.fakes.worker import STALL_SECONDS, WorkerBench, stop


async def test_a_worker_that_is_stopped_ends_with_0_and_closes_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    assert bench.worker._readiness() == Health(ok=True, detail="ready")
    stop()
    await bench.until(bench.worker._stop.is_set)
    assert bench.worker._readiness() == Health(ok=False, detail="stopping")
    assert await bench.ends() == 0
    assert bench.effects[-3:] == ["drain 1", "left", "closed"]
    assert bench.exits == []


async def test_a_fault_ends_a_worker_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.step.fail(RuntimeError("a fault of the work"))
    assert await bench.ends() == 1
    assert bench.worker._readiness() == Health(ok=False, detail="a fault of the work")
    assert "drain 1" not in bench.effects


async def test_a_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.worker._signals.on_signal(signal.SIGINT)
    assert bench.exits == []
    bench.worker._signals.on_signal(signal.SIGTERM)
    assert bench.exits == [128 + signal.SIGTERM]
    assert await bench.ends() == 0


@pytest.mark.parametrize(("crashed", "should_stop"), [(True, False), (False, True)])
async def test_an_app_that_crashed_or_stopped_by_itself_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, *, crashed: bool, should_stop: bool
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.app.crashed, bench.app.should_stop = crashed, should_stop
    bench.app.crash_reason = OSError("disk") if crashed else None
    bench.app.wake()
    assert await bench.ends() == 1
    assert str(bench.worker._fault) == ("disk" if crashed else "Faust stopped by itself")


async def test_a_worker_looks_at_its_progress_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    assert bench.worker._liveness() == Health(ok=True, detail="starting")
    assert bench.worker._readiness() == Health(ok=False, detail="connecting")
    await bench.started()
    bench.app.batch_consumer.undone_now = {(TOPIC, 0): Undone(7, 5)}
    await bench.app.look()
    assert bench.worker._liveness() == Health(ok=True, detail="working, last progress 0 s ago")
    bench.clock.now += STALL_SECONDS / 2
    await bench.app.look()
    assert bench.app.batch_consumer.asked_about == []
    bench.clock.now += 1.0
    await bench.app.look()
    assert bench.app.batch_consumer.asked_about == [[(TOPIC, 0)]]
    bench.clock.now += STALL_SECONDS
    assert not bench.worker._liveness().ok
    assert set(bench.app.slept) == {1.0}
    stop()
    assert await bench.ends() == 0


@pytest.mark.parametrize("reason", ["away", "not_taken"])
async def test_a_partition_that_waits_for_brokers_is_not_stuck_and_excuses_no_other(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    consumer = bench.app.batch_consumer
    consumer.known_partitions = 2
    consumer.undone_now = {(TOPIC, 0): Undone(7, 5)}
    setattr(consumer, reason, {(TOPIC, 0)})
    for _ in range(3):
        await bench.app.look()
        bench.clock.now += STALL_SECONDS - 1.0
    assert bench.worker._liveness() == Health(ok=True, detail="waiting for a known reason, see /readyz and the log")
    consumer.undone_now[TOPIC, 1] = Undone(3, 1)
    for _ in range(3):
        await bench.app.look()
        bench.clock.now += STALL_SECONDS - 1.0
    assert (TOPIC, 1) in consumer.asked_about[-1]
    assert "1 messages wait in partition 1" in bench.worker._liveness().detail
    assert not bench.worker._liveness().ok
    stop()
    await bench.ends()


async def test_what_waits_on_purpose_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.app.batch_consumer.undone_now = {(TOPIC, 0): Undone(7, 5)}
    bench.step.now.on_purpose = [(TOPIC, 0)]
    for _ in range(2):
        bench.clock.now += 2 * STALL_SECONDS
        await bench.app.look()
    assert bench.worker._liveness() == Health(ok=True, detail="waiting for a known reason, see /readyz and the log")
    stop()
    await bench.ends()


@pytest.mark.parametrize(
    ("hold", "partition", "alive"),
    [
        (HoldReason.KAFKA_AWAY, 0, False),
        (HoldReason.PARTITIONS_ADDED, 0, False),
        (HoldReason.PARTITIONS_ADDED, 1, True),
    ],
)
async def test_added_partitions_excuse_themselves_and_other_complaints_excuse_nobody(
    hold: HoldReason,
    partition: int,
    alive: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics = SimpleNamespace(run=never, source=None, complaint="a complaint", holds={hold})
    bench = WorkerBench(monkeypatch, topics=topics)
    await bench.started()
    bench.app.batch_consumer.undone_now = {(TOPIC, partition): Undone(7, 5)}
    for _ in range(2):
        bench.clock.now += 2 * STALL_SECONDS
        await bench.app.look()
    assert bench.worker._liveness().ok is alive
    assert (bench.metric("stuck_seconds") == 0) is alive
    stop()
    await bench.ends()


async def test_the_age_of_hidden_messages_counts_from_the_first_look_and_not_from_the_first_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    consumer: Any = bench.app.batch_consumer
    consumer.ends_now = [LogEnds(0, 5, 9)]
    await bench.app.look()
    bench.clock.now += 7.0
    (hidden,) = bench.worker._watching.hidden(consumer)
    assert (hidden.messages, hidden.seconds) == (4, 7.0)
    stop()
    await bench.ends()


@pytest.mark.parametrize("step", [ENDS_SECONDS / 2, ENDS_SECONDS * 0.6])
async def test_the_ends_of_partitions_are_asked_for_now_and_then(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    consumer, looks = bench.app.batch_consumer, []
    for _ in range(5):
        await bench.app.look()
        looks.append(consumer.looks_at_ends)
        bench.clock.now += step
    assert looks == [0, 0, 1, 1, 2]
    stop()
    await bench.ends()


async def test_a_worker_is_ready_when_it_has_joined_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    bench.app.may_start.clear()
    await bench.until(lambda: bench.app.slept)
    joining = Health(ok=False, detail="joining the consumer group")
    assert bench.worker._readiness() == joining
    assert bench.worker._liveness() == Health(ok=True, detail="starting")
    bench.app.may_start.set()
    await bench.started()
    assert bench.metric("ready") == 1.0
    bench.app.rebalancing = True
    assert bench.worker._readiness() == joining
    stop()
    await bench.ends()


async def never() -> None:
    await asyncio.Event().wait()


async def test_topics_and_rules_are_watched_beside_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = SimpleNamespace(
        run=never, source="source", complaint="topic `raw` has new partitions", holds={HoldReason.PARTITIONS_ADDED}
    )
    rules = SimpleNamespace(run=never, note="rules of before")
    bench = WorkerBench(monkeypatch, topics=topics, files=rules)
    await bench.started()
    assert bench.built_with["source"] == "source"
    assert bench.worker._readiness() == Health(ok=False, detail="topic `raw` has new partitions")
    bench.step.now.holds = frozenset({HoldReason.BREAKER})
    assert bench.worker._holds() == {HoldReason.PARTITIONS_ADDED, HoldReason.BREAKER}
    topics.complaint = None
    assert bench.worker._readiness() == Health(ok=True, detail="ready; rules of before")
    stop()
    assert await bench.ends() == 0


@pytest.mark.parametrize("part", ["topics", "files"])
async def test_a_fault_of_what_is_watched_ends_a_worker(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise WorkerError("a fault beside the work")

    watched = SimpleNamespace(run=fails, source=None, complaint=None, holds=set(), note=None)
    bench = WorkerBench(monkeypatch, **{part: watched})
    assert await bench.ends() == 1
    assert str(bench.worker._fault) == "a fault beside the work"


async def test_metrics_show_what_a_worker_has_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.app.batch_consumer.ledger.deliver(tp(), messages(0, 1, 2))
    bench.app.batch_consumer.undone_now = {(TOPIC, 0): Undone(0, 5)}
    await bench.app.look()
    bench.clock.now += 8.0
    bench.step.now.retrying = True
    found = {name: bench.metric(name) for name in ("messages_in_hand", "full_partitions", "assigned_partitions")}
    assert found == {"messages_in_hand": 3, "full_partitions": 1, "assigned_partitions": 1}
    counted = ("commits_total", "commits_failed_total", "rebalances_total")
    for name, told in zip(counted, ("on_committed", "on_commit_failed", "on_rebalanced"), strict=True):
        bench.built_with[told]()
        assert bench.metric(name) == 1
    assert (bench.metric("retrying"), bench.metric("seconds_since_progress")) == (1, 8)
    stop()
    await bench.ends()
