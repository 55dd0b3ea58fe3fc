"""The life of a worker: start, status pages, signals, faults. Tests about the process run it as a separate process."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from pipeline.local.broker import Fault, Request
from pipeline.stream import commits
from pipeline.stream import watching as watching_module
from tests.fakes.stream import FakeStep
from tests.integration.clients import eventually
from tests.integration.stream_workers import RunningWorker, get, numbers, running_worker, stage, worker_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker


async def answers(worker: RunningWorker, path: str, status: int, text: str) -> None:
    """Wait until a status page has a status and contains a text."""
    last: tuple[int, str] = (0, "")
    try:
        async with asyncio.timeout(20):
            while not (last[0] == status and text in last[1]):
                last = await get(worker.http_port, path)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{path} says {last}") from None


async def test_sigterm_settles_what_is_in_hand_commits_and_exits_with_0(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(10))
    async with worker_process(where, tmp_path, "settle-in-drain") as worker:
        await worker.answers("/metrics", 200, "onesignal_pipeline_messages_in_hand 10.0")
        assert where.committed() == {0: 0}
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0, worker.log_text()
    assert where.committed() == {0: 10}


async def test_a_second_signal_ends_at_once(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(1))
    async with worker_process(where, tmp_path, "keep", shutdown_timeout_seconds=60.0) as worker:
        await worker.answers("/metrics", 200, "onesignal_pipeline_messages_in_hand 1.0")
        worker.signal(signal.SIGTERM)
        await worker.answers("/readyz", 503, "stopping")
        worker.signal(signal.SIGTERM)
        assert await worker.ended(within_seconds=5) == 128 + signal.SIGTERM


async def test_a_fault_ends_the_process_with_1_and_commits_nothing_of_it(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    where.produce(*numbers(3))
    async with worker_process(where, tmp_path, "raise") as worker:
        assert await worker.ended() == 1, worker.log_text()
        assert "unsettled messages stay in Kafka" in worker.log_text()
    assert where.committed() == {0: 0}


@pytest.mark.embedded_only("a broker that does not answer")
async def test_a_signal_ends_a_worker_whose_broker_has_fallen_silent(broker: Broker, tmp_path: Path) -> None:
    assert broker.embedded is not None
    where = stage(broker)
    where.produce(*numbers(3))
    times = {"shutdown_timeout_seconds": 0.5, "leave_timeout_seconds": 1.0}
    async with worker_process(where, tmp_path, "settle-in-drain", **times) as worker:
        await worker.answers("/metrics", 200, "onesignal_pipeline_messages_in_hand 3.0")
        broker.embedded.delay_answers(600_000)
        worker.signal(signal.SIGTERM)
        assert await worker.ended(within_seconds=10) == 0, worker.log_text()


async def test_a_step_that_never_settles_ends_at_the_deadline_with_0_and_nothing_committed(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(10))
    async with running_worker(where, tmp_path, step, shutdown_timeout_seconds=0.5) as worker:
        await step.until(10)
        assert await worker.stop() == 0
        assert step.effects == ["drain 0.5"]
    assert where.committed() == {0: 0}


async def test_a_step_that_fails_ends_the_worker_with_1_and_keeps_what_was_settled_before(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step, commit_interval_seconds=300.0) as worker:
        await step.until(3)
        step.settle_all()
        where.produce(*numbers(3, start=3))
        await step.until(6)
        step.fail(RuntimeError("a fault of the work"))
        assert await worker.ended() == 1
        assert [effect for effect in step.effects if effect.startswith("drain")] == []
    assert where.committed() == {0: 3}


async def test_a_drain_that_fails_still_commits_nothing_unsettled_and_leaves_the_group(
    broker: Broker, tmp_path: Path
) -> None:
    class FailsToDrain(FakeStep):
        async def drain(self, *, deadline_seconds: float) -> None:
            raise RuntimeError(f"no drain in {deadline_seconds} s")

    where, step = stage(broker), FailsToDrain()
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step) as worker:
        await step.until(3)
        assert await worker.stop() == 0
    assert where.committed() == {0: 0}


@pytest.mark.embedded_only("says nothing of the broker")
async def test_a_taken_port_is_named_and_ends_the_worker_with_1(broker: Broker, tmp_path: Path) -> None:
    where = stage(broker)
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        port = taken.getsockname()[1]
        async with running_worker(where, tmp_path, http_port=port) as worker:
            assert await worker.ended() == 1
    (said,) = (line["error"] for line in logs if line["log_level"] == "error")
    assert f"127.0.0.1:{port}: address already in use" in said.lower() or f"127.0.0.1:{port}" in said
    assert "PIPELINE_HTTP_PORT" in said


@pytest.mark.embedded_only("a broker that answers late")
async def test_a_worker_that_joins_its_group_is_alive_and_not_ready(broker: Broker, tmp_path: Path) -> None:
    assert broker.embedded is not None
    where = stage(broker)
    broker.embedded.delay_answers(300)
    async with running_worker(where, tmp_path) as worker:
        await answers(worker, "/readyz", 503, "joining the consumer group")
        await answers(worker, "/healthz", 200, "ok")
        broker.embedded.delay_answers(0)
        await answers(worker, "/readyz", 200, "ready")


async def test_the_status_pages_follow_a_worker_through_messages_and_a_hold(broker: Broker, tmp_path: Path) -> None:
    where, step = stage(broker), FakeStep()
    async with running_worker(where, tmp_path, step) as worker:
        await answers(worker, "/readyz", 200, "ready")
        where.produce(*numbers(3))
        await step.until(3)
        await answers(worker, "/metrics", 200, 'onesignal_pipeline_consumer_lag_messages{partition="0"} 3.0')
        await answers(worker, "/metrics", 200, "onesignal_pipeline_assigned_partitions 1.0")
        await answers(worker, "/metrics", 200, "onesignal_pipeline_messages_in_hand 3.0")
        step.now.hold_reason = "Segment answers 401: check the write key"
        await answers(worker, "/readyz", 503, "Segment answers 401")
        await answers(worker, "/metrics", 200, "onesignal_pipeline_ready 0.0")
        step.now.hold_reason = None
        step.settle_all()
        await answers(worker, "/metrics", 200, 'onesignal_pipeline_consumer_lag_messages{partition="0"} 0.0')
        await answers(worker, "/healthz", 200, "nothing waits")


async def test_a_worker_that_lies_still_with_lag_is_not_alive_unless_it_holds_on_purpose(
    broker: Broker, tmp_path: Path
) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step, stall_timeout_seconds=1.0) as worker:
        await step.until(3)
        await answers(worker, "/healthz", 503, "stuck")
        step.now.hold_reason = "Segment answers 401: check the write key"
        await answers(worker, "/healthz", 503, "stuck")  # a hold of another partition is no excuse
        step.now.on_purpose = {(where.topic, 0)}
        await answers(worker, "/healthz", 200, "waiting for a known reason")
        step.now.hold_reason, step.now.on_purpose = None, ()
        await answers(worker, "/healthz", 503, "stuck")
        step.settle_all()
        await answers(worker, "/healthz", 200, "nothing waits")


async def test_a_new_worker_reads_on_where_the_one_before_ended(broker: Broker, tmp_path: Path) -> None:
    where, step = stage(broker), FakeStep()
    where.produce(*numbers(5))
    async with running_worker(where, tmp_path) as worker:
        await eventually(lambda: where.committed() == {0: 5})
        assert await worker.stop() == 0
    where.produce(*numbers(3, start=5))
    async with running_worker(where, tmp_path, step):
        await step.until(3)
        assert step.values() == numbers(3, start=5)


async def test_a_worker_whose_fetching_has_died_is_not_alive(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "ENDS_SECONDS", 0.5)
    where, step = stage(broker), FakeStep(settles_at_once=True)
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step, stall_timeout_seconds=2.0) as worker:
        await step.until(3)
        await answers(worker, "/healthz", 200, "nothing waits")
        assert worker.worker._app is not None
        fetcher = worker.worker._app.batch_consumer._thread._ensure_consumer()._fetcher
        fetcher._fetch_task.cancel()
        await asyncio.wait(
            {fetcher._fetch_task, *fetcher._pending_tasks}
        )  # a request in flight may still return messages
        where.produce(*numbers(4, start=3))
        await answers(worker, "/healthz", 503, "4 messages wait in partition 0")
        assert len(step.offsets()) == 3


async def test_a_worker_whose_commits_are_refused_is_alive_and_commits_when_they_are_taken(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broker.embedded is None:
        pytest.skip("a real broker cannot be told to refuse")
    monkeypatch.setattr(commits, "COMMIT_TIMEOUT_SECONDS", 0.3)
    where, step = stage(broker), FakeStep(settles_at_once=True)
    where.produce(*numbers(3))
    async with running_worker(where, tmp_path, step, stall_timeout_seconds=2.0) as worker:
        await answers(worker, "/healthz", 200, "nothing waits")
        broker.embedded.fail_next(Request.OFFSET_COMMIT, [Fault.NOT_COORDINATOR] * 100_000)
        where.produce(*numbers(2, start=3))
        await answers(worker, "/healthz", 200, "waiting for a known reason")
        broker.embedded.stop_failing(Request.OFFSET_COMMIT)
        await answers(worker, "/healthz", 200, "nothing waits")
        assert where.committed() == {0: 5}
