"""The pipeline as it runs in production: worker processes between a broker and the Segment stand-in."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from pipeline.local.segment_stand_in import WRITE_KEY, SegmentStandIn
from pipeline.runtime.leash import leashed
from tests.integration.clients import committed_offsets, eventually, watermarks
from tests.integration.stream_workers import SESSION_SECONDS
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.settings.choices import Role
    from tests.integration.brokers import Broker

PARTITIONS = 4
EXIT_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """One worker process; its log is kept in a file."""

    role: Role
    process: asyncio.subprocess.Process
    http_port: int
    log: Path

    async def ended(self) -> int:
        """Wait for its end and return its exit code."""
        async with asyncio.timeout(EXIT_SECONDS):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill it as an operating system out of memory would."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        """Ask it to end, as Kubernetes does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its status server; status 0 when it does not answer."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def said(self, path: str, text: str) -> int:
        """Wait until its status server says this; return the status."""
        async with asyncio.timeout(EXIT_SECONDS):
            while True:
                status, answer = await self.get(path)
                if text in answer:
                    return status
                await asyncio.sleep(0.05)


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Topics of its own, a Segment stand-in, and the processes that a test starts."""

    broker: Broker
    segment: SegmentStandIn
    folder: Path
    raw_topic: str
    records_topic: str
    dead_letter_topic: str
    processor_group: str
    segment_sink_group: str
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)

    def environment(self, http_port: int) -> dict[str, str]:
        """The environment of a worker; what the test sets wins."""
        own = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "RAW_TOPIC": self.raw_topic,
            "RECORDS_TOPIC": self.records_topic,
            "DEAD_LETTER_TOPIC": self.dead_letter_topic,
            "PROCESSOR_GROUP": self.processor_group,
            "SEGMENT_SINK_GROUP": self.segment_sink_group,
            "SEGMENT_WRITE_KEY": WRITE_KEY,
            "SEGMENT_ENDPOINT": self.segment.endpoint,
            "SEGMENT_FLUSH_INTERVAL_SECONDS": "0.1",
            "SEGMENT_RETRY_BASE_SECONDS": "0.05",
            "SEGMENT_RETRY_MAX_SECONDS": "0.5",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(http_port),
            "LOG_FORMAT": "console",
            "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            **self.settings,
        }
        # What a killed worker leaves behind goes away with the test's folder.
        return {
            **os.environ,
            "TMPDIR": str(self.folder),
            **{f"PIPELINE_{name}": value for name, value in own.items()},
        }

    async def start(
        self, role: Role, *, program: Sequence[str] = ("pipeline",), variables: Mapping[str, str] | None = None
    ) -> WorkerProcess:
        """Start a worker; `program` is the module that is run, with the arguments before its own.

        `variables` are of its environment, beside the settings.
        """
        port = free_port()
        log = self.folder / f"{role.value}-{len(self.workers)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", *program, "worker", role.value]),
                env={**self.environment(port), **(variables or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        worker = WorkerProcess(role=role, process=process, http_port=port, log=log)
        self.workers.append(worker)
        return worker

    async def accepted(self, records: int, *, seconds: float = 120.0) -> None:
        """Wait until Segment has accepted so many records; when it takes too long, say what the workers said."""
        try:
            async with asyncio.timeout(seconds):
                await self.segment.accepted(records)
        except TimeoutError:
            raise AssertionError(
                f"{len(self.segment.ledger.accepted)} of {records} records accepted after {seconds} s\n{self.logs()}"
            ) from None

    async def settled(self, *, seconds: float = 60.0) -> None:
        """Wait until both groups have committed everything, the processor first: its end fixes the sink's."""

        def nothing_waits() -> bool:
            servers = self.broker.bootstrap_servers
            for group, topic in (
                (self.processor_group, self.raw_topic),
                (self.segment_sink_group, self.records_topic),
            ):
                ends = {partition: end for partition, (_, end) in watermarks(servers, topic).items()}
                if committed_offsets(servers, group, topic) != ends:
                    return False
            return True

        try:
            await eventually(nothing_waits, within_seconds=seconds)
        except AssertionError:
            raise AssertionError(f"not all is committed after {seconds} s\n{self.logs()}") from None

    def logs(self) -> str:
        """The end of what each worker said."""
        return "\n".join(f"--- {worker.log.name}\n{worker.log.read_text()[-3000:]}" for worker in self.workers)


@asynccontextmanager
async def running_pipeline(
    broker: Broker, folder: Path, *, partitions: int = PARTITIONS, **settings: str
) -> AsyncIterator[Pipeline]:
    """Make topics and a stand-in; kill whatever is still running at the end."""
    segment = SegmentStandIn()
    await segment.start()
    pipeline = Pipeline(
        broker=broker,
        segment=segment,
        folder=folder,
        raw_topic=broker.create_topic("raw", partitions),
        records_topic=broker.create_topic("records", partitions),
        dead_letter_topic=broker.create_topic("dead-letters", partitions),
        processor_group=broker.unique("processor"),
        segment_sink_group=broker.unique("segment-sink"),
        settings=settings,
    )
    try:
        yield pipeline
    finally:
        for worker in pipeline.workers:
            if worker.process.returncode is None:
                await worker.kill()
        await segment.stop()
