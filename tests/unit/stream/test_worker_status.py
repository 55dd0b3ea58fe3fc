"""What a worker serves and logs from its start to its end."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.fetched.faults import Unreadable
from pipeline.runtime.health import Undone
from pipeline.stream.ledger import Position
from tests.fakes.stream import TOPIC, tp
from tests.fakes.worker import WorkerBench, stop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def answer(lines: list[Any], path: str) -> tuple[int, str]:
    """Return the answer of a worker at the port in its log."""
    port = next(line["http_port"] for line in lines if line["event"] == "worker starts")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/{path}") as response:
        return response.status, await response.text()


async def test_health_and_metrics_are_served_while_a_worker_connects_works_and_settles_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    bench = WorkerBench(monkeypatch)
    bench.may_open.clear()
    await bench.until(lambda: lines)
    assert await answer(lines, "healthz") == (200, '{"ok": true, "detail": "starting"}')
    assert await answer(lines, "readyz") == (503, '{"ok": false, "detail": "connecting"}')
    bench.may_open.set()
    await bench.started()
    assert await answer(lines, "readyz") == (200, '{"ok": true, "detail": "ready"}')
    assert "\nonesignal_pipeline_ready 1.0\n" in (await answer(lines, "metrics"))[1]
    stop()
    assert await bench.ends() == 0
    with pytest.raises(aiohttp.ClientConnectorError):
        await answer(lines, "healthz")


async def test_a_worker_says_at_its_start_what_it_is_and_at_its_end_that_it_stops(
    monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    program = version("onesignal-pipeline")
    built = {"role": "test", "destination": "", "version": program, "python": platform.python_version()}
    assert bench.metric("build_info", **built) == 1
    told = {name: lines[0][name] for name in ("event", "role", "version", "group", "topic")}
    assert told == {"event": "worker starts", "role": "test", "version": program, "group": "group", "topic": TOPIC}
    stop()
    await bench.ends()
    assert lines[1:] == [
        {"event": "stopping: settling what is in hand", "signal": "SIGTERM", "log_level": "info"},
    ]


async def test_what_waits_is_looked_at_every_second_so_its_age_is_known_at_the_first_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.app.batch_consumer.undone_now = {(TOPIC, 0): Undone(0, 5)}
    await bench.app.look()
    bench.clock.now += 8.0
    assert bench.metric("consumer_lag_seconds", partition="0") == 8.0
    assert bench.metric("consumer_lag_messages", partition="0") == 5
    stop()
    await bench.ends()


async def test_the_partitions_are_counted_at_each_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    bench.app.batch_consumer.ledger.assign({tp(number): Position(offset=0, committed=True) for number in range(3)})
    bench.app.batch_consumer.full = 2
    assert (bench.metric("assigned_partitions"), bench.metric("full_partitions")) == (3, 2)
    bench.app.batch_consumer.ledger.revoke([tp(number) for number in range(3)])
    bench.app.batch_consumer.full = 0
    assert (bench.metric("assigned_partitions"), bench.metric("full_partitions")) == (0, 0)
    stop()
    await bench.ends()


async def test_holds_are_shown_by_reason_and_none_before_there_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkerBench(monkeypatch)
    bench.may_open.clear()
    assert bench.worker._holds() == set()
    bench.may_open.set()
    await bench.started()
    bench.step.now.holds = frozenset({HoldReason.BREAKER})
    assert bench.metric("holding", reason="breaker") == 1
    assert bench.metric("holding", reason="kafka_away") == 0
    assert bench.metric("retrying") == 0
    stop()
    await bench.ends()


async def test_a_partition_that_cannot_be_read_is_a_hold_with_its_cause_and_stuck_is_it_not(
    monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    bench = WorkerBench(monkeypatch)
    await bench.started()
    assert bench.metric("holding", reason="unreadable") == 0
    found = Unreadable(offset=7, next_offset=9, why="its checksum does not match")
    bench.app.batch_consumer.unreadable.note(tp(), found)
    bench.app.batch_consumer.undone_now = {(TOPIC, 0): Undone(7, 5)}
    assert bench.metric("holding", reason="unreadable") == 1
    status, body = await answer(lines, "readyz")
    assert status == 503
    assert f"{TOPIC}[0] cannot be read from offset 7 on: its checksum does not match" in body
    assert f"--reset-offsets --to-offset 9 --group group --topic {TOPIC}:0" in body
    for _ in range(3):
        await bench.app.look()
        bench.clock.now += 1_000
    assert (bench.metric("stuck_seconds") or 0) <= 1_000
    stop()
    await bench.ends()
