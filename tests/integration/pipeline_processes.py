"""The pipeline as in production: worker processes between a broker and the stand-ins of the destinations."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from pipeline.bootstrap.roles import worker_arguments
from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN, MixpanelStandIn
from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.runtime.leash import leashed
from pipeline.settings.choices import Role
from tests.integration.clients import committed_offsets, eventually, watermarks
from tests.integration.stream_workers import SESSION_SECONDS
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.integration.brokers import Broker

PARTITIONS = 4
MIXPANEL_ROLES = (Role.MIXPANEL_PROCESSOR, Role.MIXPANEL_SINK)
SEGMENT_ROLES = (Role.PROCESSOR, Role.SEGMENT_SINK)
EXIT_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """One worker process; its log is written to a file."""

    role: Role
    process: asyncio.subprocess.Process
    http_port: int
    log: Path

    async def ended(self) -> int:
        """Wait until the process ends, and return its exit code."""
        async with asyncio.timeout(EXIT_SECONDS):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill the process, as the kernel does when memory is short."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        """Send SIGTERM, as Kubernetes does, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a status page; status 0 if the server does not answer."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def said(self, path: str, text: str) -> int:
        """Wait until a status page contains a text; return the status."""
        async with asyncio.timeout(EXIT_SECONDS):
            while True:
                status, answer = await self.get(path)
                if text in answer:
                    return status
                await asyncio.sleep(0.05)


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """A test's own topics, the stand-ins, and the processes that the test starts."""

    broker: Broker
    segment: SegmentStandIn
    mixpanel: MixpanelStandIn
    mixpanel_records_topic: str
    """Empty where Mixpanel is not in use."""
    folder: Path
    raw_topic: str
    records_topic: str
    dead_letter_topic: str
    processor_group: str
    segment_sink_group: str
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)

    def environment(self, http_port: int) -> dict[str, str]:
        """Return the environment of a worker; the test's settings take precedence."""
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
            **(self._mixpanel_settings() if self.mixpanel_records_topic else {}),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(http_port),
            "LOG_FORMAT": "console",
            "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            **self.settings,
        }
        # Files that a killed worker leaves behind are deleted with the test's folder.
        return {
            **os.environ,
            "TMPDIR": str(self.folder),
            **{f"PIPELINE_{name}": value for name, value in own.items()},
        }

    def _mixpanel_settings(self) -> dict[str, str]:
        return {
            "MIXPANEL_RECORDS_TOPIC": self.mixpanel_records_topic,
            "MIXPANEL_PROCESSOR_GROUP": f"{self.processor_group}-mixpanel",
            "MIXPANEL_SINK_GROUP": f"{self.segment_sink_group}-mixpanel",
            "MIXPANEL_PROJECT_TOKEN": PROJECT_TOKEN,
            "MIXPANEL_ENDPOINT": self.mixpanel.endpoint,
            "MIXPANEL_FLUSH_INTERVAL_SECONDS": "0.1",
            "MIXPANEL_RETRY_BASE_SECONDS": "0.05",
            "MIXPANEL_RETRY_MAX_SECONDS": "0.5",
        }

    async def start(
        self, role: Role, *, program: Sequence[str] = ("pipeline",), variables: Mapping[str, str] | None = None
    ) -> WorkerProcess:
        """Start a worker; `program` is the module to run, with the arguments before the worker's own.

        `variables` are environment variables besides the settings.
        """
        port = free_port()
        log = self.folder / f"{role.value}-{len(self.workers)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", *program, "worker", *worker_arguments(role)]),
                env={**self.environment(port), **(variables or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        worker = WorkerProcess(role=role, process=process, http_port=port, log=log)
        self.workers.append(worker)
        return worker

    async def accepted(self, records: int, *, seconds: float = 120.0) -> None:
        """Wait until Segment has accepted `count` records; if that takes too long, fail with the workers' logs."""
        try:
            async with asyncio.timeout(seconds):
                await self.segment.accepted(records)
        except TimeoutError:
            raise AssertionError(
                f"{len(self.segment.ledger.accepted)} of {records} records accepted after {seconds} s\n{self.logs()}"
            ) from None

    async def settled(self, *, seconds: float = 60.0) -> None:
        """Wait until both groups have committed everything. The processor comes first: it determines the sink's end."""

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
        """Return the tail of each worker's log."""
        return "\n".join(f"--- {worker.log.name}\n{worker.log.read_text()[-3000:]}" for worker in self.workers)


def running_pipeline(
    broker: Broker, folder: Path, *, partitions: int = PARTITIONS, **settings: str
) -> AbstractAsyncContextManager[Pipeline]:
    """Create Segment's topics and the stand-ins; kill the workers that still run at the end."""
    return _running(broker, folder, partitions=partitions, settings=settings, with_mixpanel=False)


def running_both(
    broker: Broker, folder: Path, *, partitions: int = PARTITIONS, **settings: str
) -> AbstractAsyncContextManager[Pipeline]:
    """Do the same with Mixpanel's topics too."""
    return _running(broker, folder, partitions=partitions, settings=settings, with_mixpanel=True)


@asynccontextmanager
async def _running(
    broker: Broker, folder: Path, *, partitions: int, settings: Mapping[str, str], with_mixpanel: bool
) -> AsyncIterator[Pipeline]:
    segment, mixpanel = SegmentStandIn(), MixpanelStandIn()
    await segment.start()
    await mixpanel.start()
    pipeline = Pipeline(
        broker=broker,
        segment=segment,
        mixpanel=mixpanel,
        mixpanel_records_topic=broker.create_topic("mixpanel-records", partitions) if with_mixpanel else "",
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
        await mixpanel.stop()
