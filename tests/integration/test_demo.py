from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from pipeline.local.broker import KEPT_BYTES_PER_PARTITION, EmbeddedBroker
from pipeline.local.demo_destinations import SEGMENT
from pipeline.local.demo_errors import DemoError
from pipeline.local.demo_observer import Observer
from pipeline.local.demo_watch import Watch, watching
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import Truth
from pipeline.local.traffic_window import Window
from pipeline.local.traffic_writer import TrafficWriteError, TrafficWriter
from tests.integration.clients import RawMessage, eventually, produce, read_topic, watermarks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMES = SEGMENT.names
RUN_SECONDS = 110


@asynccontextmanager
async def running_demo(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo in the way that a user runs it."""
    process = await asyncio.create_subprocess_exec(
        # As a background job of a script: such a shell ignores SIGINT, and its children inherit that.
        *("sh", "-c", 'trap "" INT; exec "$@"', "sh"),
        *(sys.executable, "-m", "pipeline", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            **os.environ,
            "PIPELINE_RAW_TOPIC": "the.callers.own",
            "PIPELINE_SEGMENT_WRITE_KEY": "short",
            "TMPDIR": str(folder),
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(RUN_SECONDS):
        said, _ = await process.communicate()
        return await process.wait(), said.decode()


def workers_of(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    return [each for each in psutil.Process(process.pid).children() if "worker" in each.cmdline()]


async def all_workers(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    await eventually(lambda: len(workers_of(process)) == 4, within_seconds=60)
    return workers_of(process)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["keep-all", "engagement-only"])
async def test_the_demo_adds_up(tmp_path: Path, preset: str) -> None:
    async with running_demo(tmp_path, "--events", "3000", "--seed", "5", "--preset", preset) as process:
        code, said = await ended(process)
    assert code == 0, said
    assert said.splitlines()[-1].startswith("It adds up:")
    assert f"{preset} (this run)" in said


@pytest.mark.slow
async def test_the_demo_adds_up_with_faults_and_killed_workers(tmp_path: Path) -> None:
    async with running_demo(tmp_path, "--events", "20000", "--faults") as process:
        code, said = await ended(process)
    assert code == 0, said
    assert "Killed and restarted: segment-processor, segment-sink, mixpanel-processor, mixpanel-sink" in said


@pytest.mark.slow
async def test_a_worker_that_dies_fails_the_demo_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with running_demo(tmp_path, "--events", "2000000") as process:
        (await all_workers(process))[0].kill()
        code, said = await ended(process)
    assert code == 1
    assert "The demo failed: the segment-processor ended with exit code -9" in said


@pytest.mark.slow
async def test_an_interrupted_demo_stops_everything_it_started(tmp_path: Path) -> None:
    async with running_demo(tmp_path, "--events", "2000000") as process:
        workers = await all_workers(process)
        process.send_signal(signal.SIGINT)
        code, said = await ended(process)
    assert code == 130, said
    assert not [worker for worker in workers if worker.is_running()]


@pytest.mark.slow
@pytest.mark.parametrize("lines", [0, 1, 3])
async def test_a_demo_whose_reader_goes_away_ends_quietly_and_stops_everything(tmp_path: Path, lines: int) -> None:
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline", "demo", "--events", "2000000"),
        stdout=writer,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    os.close(writer)
    try:
        workers = await all_workers(process)
        with os.fdopen(reader, "rb") as output:
            for _ in range(lines):
                await asyncio.to_thread(output.readline)
        async with asyncio.timeout(RUN_SECONDS):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, errors) == (1, b"")
    assert not [worker for worker in workers if worker.is_running()]
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


@pytest.mark.slow
async def test_a_demo_that_cannot_print_says_why_and_stops_everything(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline", "demo", "--events", "2000000"),
        stdout=full,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    os.close(full)
    async with asyncio.timeout(RUN_SECONDS):
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (1, b"Standard output cannot be written: No space left on device.\n")
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the leash is Linux's parent death signal")
async def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    async with running_demo(tmp_path, "--events", "2000000") as process:
        workers = await all_workers(process)
        process.kill()
        await process.wait()
        await eventually(lambda: not [worker for worker in workers if worker.is_running()])


def writer(broker: EmbeddedBroker, truth: Truth, *, full: asyncio.Event) -> TrafficWriter:
    async def wait_for_room() -> None:
        full.set()
        await asyncio.Event().wait()

    return TrafficWriter(
        bootstrap_servers=broker.bootstrap_servers,
        topic=NAMES.raw_topic,
        partitions=truth.partitions,
        truths=[truth],
        windows=[Window()],
        wait_for_room=wait_for_room,
    )


def truth(partitions: int) -> Truth:
    return Truth(destination="segment", preset="keep-all", partitions=partitions, id_of_body=lambda _body: "none")


async def test_the_writer_puts_every_message_where_its_truth_has_it() -> None:
    told = truth(3)
    with EmbeddedBroker() as broker:
        broker.create_topic(NAMES.raw_topic, 3)
        async with writer(broker, told, full=asyncio.Event()) as writing:
            await writing.write(traffic(seed=1, events=2_000))
        stored = await asyncio.to_thread(read_topic, broker.bootstrap_servers, NAMES.raw_topic)
    written = Counter((message.key, message.value) for message in traffic(seed=1, events=2_000))
    assert len(stored) == told.written == 2_000
    assert Counter((message.key, message.value) for message in stored) == written
    for message_id, (partition, offset, _user) in list(told.ids.items())[:200]:
        value = next(each.value for each in stored if (each.partition, each.offset) == (partition, offset))
        assert message_id == "none" or message_id.encode() in (value or b"")


async def test_without_a_reader_the_writer_stops_before_anything_is_dropped() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(NAMES.raw_topic, 2)
        full = asyncio.Event()
        async with writer(broker, truth(2), full=full) as writing:
            stopped = asyncio.create_task(writing.write(traffic(seed=1, events=200_000)))
            await asyncio.wait_for(full.wait(), RUN_SECONDS)
            stopped.cancel()
        stored = await asyncio.to_thread(read_topic, broker.bootstrap_servers, NAMES.raw_topic)
    assert {message.offset for message in stored if message.partition == 0} >= {0}
    assert sum(len(message.value or b"") for message in stored) <= KEPT_BYTES_PER_PARTITION


async def test_somebody_else_in_the_topic_is_noticed() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(NAMES.raw_topic, 1)
        await asyncio.to_thread(produce, broker.bootstrap_servers, NAMES.raw_topic, [RawMessage(value=b"x")])
        async with writer(broker, truth(1), full=asyncio.Event()) as writing:
            with pytest.raises(TrafficWriteError, match="another producer writes to this topic"):
                await writing.write(traffic(seed=1, events=10))


@asynccontextmanager
async def a_watch(broker: EmbeddedBroker) -> AsyncIterator[Watch]:
    for topic in (NAMES.raw_topic, NAMES.records_topic, NAMES.dead_letter_topic):
        broker.create_topic(topic, 1)
    observer = Observer(
        bootstrap_servers=broker.bootstrap_servers,
        destination=SEGMENT.destination,
        names=NAMES,
        partitions=1,
    )
    try:
        async with watching(
            bootstrap_servers=broker.bootstrap_servers,
            title=SEGMENT.title,
            names=NAMES,
            partitions=1,
            window=Window(),
            observer=observer,
            on_snapshot=lambda _snapshot: None,
        ) as watch:
            yield watch
    finally:
        observer.close()


async def test_messages_that_were_dropped_before_they_were_read_fail_the_run() -> None:
    with EmbeddedBroker() as broker:
        async with a_watch(broker) as watch:
            for _ in range(3):
                await asyncio.to_thread(produce, broker.bootstrap_servers, NAMES.raw_topic, [RawMessage(value=b"x")])
            broker.delete_records(NAMES.raw_topic, 0, before_offset=2)
            assert (await asyncio.to_thread(watermarks, broker.bootstrap_servers, NAMES.raw_topic))[0] == (2, 3)
            with pytest.raises(DemoError, match="dropped 2 messages of partition 0 unread"):
                await asyncio.wait_for(watch.run(), RUN_SECONDS)


async def test_the_observer_sees_records_and_dead_letters_by_their_source() -> None:
    record = RawMessage(value=b"{}", headers=(("source-partition", b"0"), ("source-offset", b"4")))
    letter = RawMessage(
        value=b"?",
        headers=(
            ("destination", b"segment"),
            ("source-topic", NAMES.raw_topic.encode()),
            *record.headers[:1],
            ("source-offset", b"5"),
        ),
    )
    others = RawMessage(value=b"?", headers=(("destination", b"mixpanel"), *letter.headers[1:]))
    with EmbeddedBroker() as broker:
        async with a_watch(broker) as watch:
            running = asyncio.create_task(watch.run())
            await asyncio.to_thread(produce, broker.bootstrap_servers, NAMES.records_topic, [record, record])
            await asyncio.to_thread(produce, broker.bootstrap_servers, NAMES.dead_letter_topic, [letter, others])
            await watch.until(
                lambda each: sum(each.records_observed.values()) == 2 and not each.dead_letters.total_unread()
            )
            observed = watch.observer.observed
            running.cancel()
    assert observed.forwarded == {0: bytearray([0, 0, 0, 0, 2])}
    assert observed.rejected == {0: bytearray([0, 0, 0, 0, 0, 1])}
    assert (observed.records, observed.dead_letters, observed.displaced, observed.leaks) == (2, 1, 0, 0)


async def test_an_observer_that_cannot_read_fails_the_run() -> None:
    with EmbeddedBroker() as broker:
        async with a_watch(broker) as watch:
            broken = RawMessage(value=b"{}")  # no headers: not the processor's
            await asyncio.to_thread(produce, broker.bootstrap_servers, NAMES.records_topic, [broken])
            with pytest.raises(DemoError, match="the observer stopped"):
                await asyncio.wait_for(watch.run(), RUN_SECONDS)
