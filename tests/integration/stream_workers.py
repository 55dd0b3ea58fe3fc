"""Workers of the stream with a fake work, in this process or in their own, between a broker and the test.

``python -m tests.integration.stream_workers`` is the program of such a process; it is configured by one argument.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from prometheus_client import CollectorRegistry

from pipeline.metrics.stream import StreamMetrics
from pipeline.runtime.leash import leashed
from pipeline.runtime.own_loop import run_in_own_loop
from pipeline.stream.worker import Worker, WorkerOptions
from tests.fakes.stream import FakeStep, app_options
from tests.integration.clients import RawMessage, committed_offsets, produce
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.core.messages import MessageBatch
    from tests.integration.brokers import Broker

SESSION_SECONDS = 6.0
"""The shortest that any cluster accepts (`group.min.session.timeout.ms`), and longer than a busy machine stalls."""
END_SECONDS = 20.0
_WORKER_FIELDS = {"shutdown_timeout_seconds": 2.0, "stall_timeout_seconds": 300.0, "leave_timeout_seconds": 10.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A test's own topic and group on a broker."""

    broker: Broker
    topic: str
    group: str

    def produce(self, *values: bytes, partition: int = 0) -> None:
        """Write messages with one client call."""
        run = [RawMessage(value=value, partition=partition) for value in values]
        produce(self.broker.bootstrap_servers, self.topic, run)

    def committed(self) -> dict[int, int]:
        return committed_offsets(self.broker.bootstrap_servers, self.group, self.topic)


def stage(broker: Broker, partitions: int = 1, **configuration: str | float) -> Stage:
    topic = broker.create_topic("stream", partitions, **configuration)
    return Stage(broker=broker, topic=topic, group=broker.unique("group"))


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


@dataclass(slots=True, kw_only=True)
class RunningWorker:
    """A worker in this process."""

    worker: Worker
    step: FakeStep
    http_port: int
    task: asyncio.Task[int] = field(init=False)

    async def stop(self) -> int:
        """End the worker as a signal does; return its exit code."""
        self.worker._signals.on_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self, *, within_seconds: float = END_SECONDS) -> int:
        async with asyncio.timeout(within_seconds):
            return await asyncio.shield(self.task)

    @property
    def partitions(self) -> list[int]:
        """The numbers of the worker's partitions."""
        app = self.worker._app
        return [] if app is None else sorted(each.partition for each in app.batch_consumer.ledger.partitions())

    @property
    def in_hand(self) -> int:
        app = self.worker._app
        return 0 if app is None else app.batch_consumer.ledger.messages_in_hand()

    @property
    def lag(self) -> int | None:
        app = self.worker._app
        return None if app is None else app.batch_consumer.lag()

    @property
    def is_ready(self) -> bool:
        return self.worker._readiness().ok


@asynccontextmanager
async def running_worker(
    where: Stage, folder: Path, step: FakeStep | None = None, **changes: Any
) -> AsyncIterator[RunningWorker]:
    """Run a worker until the block ends; `changes` are fields of its app's options, or of `WorkerOptions`.

    A worker that still runs then is ended as by a signal.
    """
    own = {name: changes.pop(name) for name in _WORKER_FIELDS if name in changes}
    port, registry = changes.pop("http_port", 0) or free_port(), CollectorRegistry()
    role = FakeStep(settles_at_once=True) if step is None else step
    options = WorkerOptions(
        app=app_options(
            **{
                "group": where.group,
                "topic": where.topic,
                "connection": {"bootstrap_servers": where.broker.bootstrap_servers},
                "data_directory": folder,
                "session_timeout_seconds": SESSION_SECONDS,
                **changes,
            }
        ),
        http_host="127.0.0.1",
        http_port=port,
        **{**_WORKER_FIELDS, **own},
    )

    @asynccontextmanager
    async def open_step() -> AsyncIterator[FakeStep]:
        yield role

    worker = Worker(options, registry=registry, metrics=StreamMetrics(registry), open_step=open_step)
    running = RunningWorker(worker=worker, step=role, http_port=port)
    running.task = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        if not running.task.done():
            worker._stop.set()
            await running.ended()


async def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the text of a status page; status 0 if the server does not answer."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientError:
        return 0, ""


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """A worker in a separate process."""

    process: asyncio.subprocess.Process
    http_port: int
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, *, within_seconds: float = END_SECONDS) -> int:
        """Wait until the process ends, and return its exit code."""
        try:
            async with asyncio.timeout(within_seconds):
                return await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"it did not end; its log:\n{self.log_text()}") from None

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    async def answers(self, path: str, status: int, text: str, *, within_seconds: float = END_SECONDS) -> None:
        """Wait until a status page has a status and contains a text.

        Raises:
            AssertionError: that does not happen in time.
        """
        last: tuple[int, str] = (0, "")
        try:
            async with asyncio.timeout(within_seconds):
                while not (last[0] == status and text in last[1]):
                    last = await get(self.http_port, path)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path} says {last}; the log:\n{self.log_text()}") from None


@asynccontextmanager
async def worker_process(
    where: Stage, folder: Path, mode: str = "settle", **changes: Any
) -> AsyncIterator[WorkerProcess]:
    """Run a worker process until the block ends; `mode` is what its work does with each batch (`_Mode`)."""
    port: int = changes.pop("http_port", 0) or free_port()
    log = folder / f"worker-{port}.log"
    setup = {
        "mode": mode,
        "http_port": port,
        "topic": where.topic,
        "group": where.group,
        "bootstrap_servers": where.broker.bootstrap_servers,
        "data_directory": str(folder),
        "session_timeout_seconds": SESSION_SECONDS,
        **changes,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", "tests.integration.stream_workers", json.dumps(setup)]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield WorkerProcess(process=process, http_port=port, log=log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class _ProcessStep(FakeStep):
    """A work that does what its mode says: settle, settle-in-drain, keep, hold, raise, fail."""

    def __init__(self, mode: str) -> None:
        super().__init__(settles_at_once=mode == "settle")
        self._mode = mode
        if mode == "hold":
            self.now.hold_reason = "Segment answers 401: check the write key"
        if mode == "raise":
            self.accept_error = RuntimeError("the agent's work raises")

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        super().accept(*batches, waited_seconds=waited_seconds)
        if self._mode == "fail":
            self.fail(RuntimeError("a fault of the work"))

    async def drain(self, *, deadline_seconds: float) -> None:
        if self._mode == "settle-in-drain":
            self.settle_all()
        else:
            await super().drain(deadline_seconds=deadline_seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), deadline_seconds)


@asynccontextmanager
async def _opened(step: _ProcessStep) -> AsyncIterator[_ProcessStep]:
    yield step


def _main(setup: dict[str, Any]) -> int:
    own = {name: setup.pop(name, usual) for name, usual in _WORKER_FIELDS.items()}
    step_mode, port = setup.pop("mode"), setup.pop("http_port")
    options = WorkerOptions(
        app=app_options(
            connection={"bootstrap_servers": setup.pop("bootstrap_servers")},
            data_directory=Path(setup.pop("data_directory")),
            **setup,
        ),
        http_host="127.0.0.1",
        http_port=port,
        **own,
    )
    registry = CollectorRegistry()

    async def run() -> int:
        worker = Worker(
            options,
            registry=registry,
            metrics=StreamMetrics(registry),
            open_step=lambda: _opened(_ProcessStep(step_mode)),
        )
        return await worker.run()

    return run_in_own_loop(run())


if __name__ == "__main__":
    sys.exit(_main(json.loads(sys.argv[1])))
