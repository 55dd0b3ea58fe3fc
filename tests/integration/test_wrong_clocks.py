"""Workers with a wrong clock: nothing is lost, nothing is sent with the wrong time, and the fault is reported."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.local.stand_ins.faults import AnswerStatus
from pipeline.settings.choices import Role
from tests.builders import raw_event
from tests.integration.clients import RawMessage, eventually, produce, read_topic, watermarks
from tests.integration.cluster_changes import set_topic
from tests.integration.pipeline_processes import PARTITIONS, SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_kill import click
from tests.integration.test_tracked_users import CLICKED, SENT, settings
from tests.wrong_clock import WrongClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import WorkerProcess

pytestmark = pytest.mark.real_only("a broker that tells the time")

SOON = "0.2"
HOUR = 3_600
TWO_HOURS_AHEAD, THIRTY_DAYS_BEHIND = 2 * HOUR, -30 * 24 * HOUR
TIME = re.compile(r"^onesignal_pipeline_clock_difference_seconds (\S+)$", re.MULTILINE)


async def difference(worker: WorkerProcess) -> float:
    _, text = await worker.get("/metrics")
    found = TIME.search(text)
    assert found is not None, text
    return float(found[1])


async def holds(worker: WorkerProcess, *texts: str) -> None:
    """Wait until a worker is not ready because of its clock."""
    for text in ("this machine's clock is", *texts):
        assert await worker.said("/readyz", text) == 503
    assert await worker.said("/metrics", 'onesignal_pipeline_holding{reason="clock"} 1.0') == 200
    assert (await worker.get("/healthz"))[0] == 200


def clicks(count: int, *, start: int = 0) -> list[RawMessage]:
    return [click(number, f"u-{number % 7}") for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("offset", "says", "stamped_by"),
    [
        (TWO_HOURS_AHEAD, "7,200 s ahead of the brokers'", "CreateTime"),
        (THIRTY_DAYS_BEHIND, "2,592,000 s behind the brokers'", "CreateTime"),
        (THIRTY_DAYS_BEHIND, "2,592,000 s behind the brokers'", "LogAppendTime"),
    ],
)
async def test_workers_with_a_wrong_clock_hold_at_once_and_go_on_when_it_is_right(
    broker: Broker, tmp_path: Path, offset: float, says: str, stamped_by: str
) -> None:
    clock = WrongClock(tmp_path / "offset")
    async with running_pipeline(broker, tmp_path, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        for topic in (pipeline.records_topic, pipeline.dead_letter_topic):
            set_topic(broker, topic, message_timestamp_type=stamped_by)
        await write(pipeline, [*clicks(50), RawMessage(key=b"k", value=b"no event")])
        workers = [await pipeline.start(role, variables=clock.environment(offset)) for role in SEGMENT_ROLES]
        for worker in workers:
            await holds(worker, says, "PIPELINE_CLOCK_MAX_DIFFERENCE_SECONDS")
            assert await difference(worker) == pytest.approx(offset, abs=60)
        assert not await asyncio.to_thread(read_topic, broker.bootstrap_servers, pipeline.records_topic)
        assert not pipeline.segment.ledger.accepted
        clock.set(0)
        await pipeline.accepted(50)
        await pipeline.settled()
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
            assert abs(await difference(worker)) < 60
        (letter,) = await asyncio.to_thread(read_topic, broker.bootstrap_servers, pipeline.dead_letter_topic)
        assert letter.value == b"no event"
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()


async def test_a_clock_that_jumps_while_workers_run_stops_them_before_anything_is_sent_by_it(
    broker: Broker, tmp_path: Path
) -> None:
    clock = WrongClock(tmp_path / "offset")
    async with running_pipeline(broker, tmp_path, TOPIC_WATCH_SECONDS="15") as pipeline:
        workers = [await pipeline.start(role, variables=clock.environment()) for role in SEGMENT_ROLES]
        await write(pipeline, clicks(20))
        await pipeline.accepted(20)
        await pipeline.settled()
        clock.set(THIRTY_DAYS_BEHIND)
        await write(pipeline, clicks(20, start=20))
        for worker in workers[:1]:
            await holds(worker)
        assert len(await asyncio.to_thread(read_topic, broker.bootstrap_servers, pipeline.records_topic)) == 20
        clock.set(0)
        await pipeline.accepted(40)
        await pipeline.settled()


async def test_what_was_in_hand_when_a_clock_jumped_is_sent_with_the_time_that_it_is(
    broker: Broker, tmp_path: Path
) -> None:
    clock = WrongClock(tmp_path / "offset")
    async with running_pipeline(broker, tmp_path, partitions=1, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        pipeline.segment.faults.order(AnswerStatus(status=503), times=None)
        await pipeline.start(Role.PROCESSOR)
        sink = await pipeline.start(Role.SEGMENT_SINK, variables=clock.environment())
        await write(pipeline, clicks(10))
        await pipeline.segment.arrived(1)
        clock.set(TWO_HOURS_AHEAD)
        await holds(sink)
        pipeline.segment.faults.clear()
        await pipeline.accepted(1)
        told = next(each.sent_at for each in pipeline.segment.ledger.requests if each.status == 200)
        assert datetime.fromisoformat(told or "").timestamp() == pytest.approx(time.time(), abs=60)
        clock.set(0)
        await pipeline.accepted(10)


async def test_a_clock_that_is_a_minute_off_is_a_warning_and_the_workers_continue(
    broker: Broker, tmp_path: Path
) -> None:
    clock = WrongClock(tmp_path / "offset")
    async with running_pipeline(broker, tmp_path, TOPIC_WATCH_SECONDS=SOON) as pipeline:
        workers = [await pipeline.start(role, variables=clock.environment(-90)) for role in SEGMENT_ROLES]
        await write(pipeline, clicks(20))
        await pipeline.accepted(20)
        await pipeline.settled()
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
            assert await difference(worker) == pytest.approx(-90, abs=20)
            assert "this machine's clock is wrong" in worker.log.read_text()


async def test_a_topic_that_takes_its_writers_time_refuses_it_as_a_hold_below_the_limit_of_the_clock(
    broker: Broker, tmp_path: Path
) -> None:
    """Two hours ahead is below this limit, and beyond `message.timestamp.after.max.ms`."""
    clock = WrongClock(tmp_path / "offset")
    async with running_pipeline(
        broker, tmp_path, TOPIC_WATCH_SECONDS=SOON, CLOCK_MAX_DIFFERENCE_SECONDS="86400"
    ) as pipeline:
        await write(pipeline, [*clicks(10), RawMessage(key=b"k", value=b"no event")])
        processor = await pipeline.start(Role.PROCESSOR, variables=clock.environment(TWO_HOURS_AHEAD))
        assert await processor.said("/readyz", "Kafka refuses the time of messages for") == 503
        assert await processor.said("/metrics", 'onesignal_pipeline_holding{reason="clock"} 1.0') == 200
        for topic in (pipeline.records_topic, pipeline.dead_letter_topic):
            set_topic(broker, topic, message_timestamp_type="LogAppendTime")
        sink = await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.accepted(10)
        await pipeline.settled()
        assert [await worker.stop() for worker in (processor, sink)] == [0, 0]


async def test_retention_takes_nothing_that_a_worker_with_a_late_clock_has_written(
    broker: Broker, tmp_path: Path
) -> None:
    """Brokers set the timestamps: below the limit a worker with a wrong clock writes, and its messages are kept."""
    clock = WrongClock(tmp_path / "offset")
    short = {"retention_ms": 4 * HOUR * 1000, "segment_ms": 1000}
    servers = broker.bootstrap_servers
    async with running_pipeline(
        broker, tmp_path, partitions=1, TOPIC_WATCH_SECONDS=SOON, CLOCK_MAX_DIFFERENCE_SECONDS="86400"
    ) as pipeline:
        records = pipeline.records_topic
        set_topic(broker, records, message_timestamp_type="LogAppendTime", **short)
        await write(pipeline, clicks(50))
        await pipeline.start(Role.PROCESSOR, variables=clock.environment(-20 * HOUR))
        await eventually(lambda: watermarks(servers, records)[0][1] == 50)
        await roll(servers, records)
        for _ in range(2):  # when retention has run twice on one topic, it has run on all
            old = broker.create_topic("old", 1, **short)
            await asyncio.to_thread(produce, servers, old, [stamped(broker_time_ms() - 20 * HOUR * 1000)])
            await roll(servers, old)
            await eventually(partial(has_lost, servers, old), within_seconds=60)
        assert not has_lost(servers, records)
        await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.accepted(50)


async def test_who_is_tracked_is_read_back_by_the_right_time_at_a_start_with_a_late_clock(
    broker: Broker, tmp_path: Path
) -> None:
    """By its own clock the worker would take this month's marks for those of a future month, and ignore them."""
    clock, user = WrongClock(tmp_path / "offset"), b"u-1"
    remembering = settings(broker, tmp_path)
    async with running_pipeline(
        broker, tmp_path, partitions=PARTITIONS, TOPIC_WATCH_SECONDS=SOON, **remembering
    ) as pipeline:
        await pipeline.start(Role.SEGMENT_SINK)
        first = await pipeline.start(Role.PROCESSOR)
        await write(pipeline, [RawMessage(key=user, value=event(CLICKED, "e-1", user), partition=0)])
        await pipeline.accepted(1)
        await pipeline.settled()
        assert await first.stop() == 0
        second = await pipeline.start(Role.PROCESSOR, variables=clock.environment(2 * THIRTY_DAYS_BEHIND))
        await holds(second)
        await eventually(lambda: second.log.read_text().count("tracked users read back") == PARTITIONS)
        clock.set(0)
        await write(pipeline, [RawMessage(key=user, value=event(SENT, "e-2", user), partition=0)])
        await pipeline.accepted(2)
        await pipeline.settled()


def event(kind: str, name: str, user: bytes) -> bytes:
    return orjson.dumps(raw_event(kind, id=name, external_id=user.decode()))


def has_lost(servers: str, topic: str) -> bool:
    """Return whether retention has deleted the first message of a topic of one partition."""
    return watermarks(servers, topic)[0][0] > 0


def broker_time_ms() -> int:
    return int(time.time() * 1000)


def stamped(timestamp_ms: int) -> RawMessage:
    return RawMessage(key=b"k", value=b"{}", timestamp_milliseconds=timestamp_ms)


async def roll(servers: str, topic: str) -> None:
    """Make Kafka start a new segment: it never deletes the active one. `segment.ms` compares timestamps."""
    await asyncio.to_thread(produce, servers, topic, [stamped(broker_time_ms() + 2_000)])
