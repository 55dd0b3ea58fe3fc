"""Fakes of the Faust app of a worker, of its consumer and its clock, and a worker between them."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pipeline.metrics.stream import StreamMetrics
from pipeline.stream.lag import Waiting
from pipeline.stream.ledger import Ledger, Position
from pipeline.stream.unreadable import UnreadablePartitions
from pipeline.stream.worker import Worker, WorkerOptions
from tests.fakes.stream import BOUND_SECONDS, FakeStep, app_options, messages, tp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable

    import pytest

    from pipeline.core.messages import Partition
    from pipeline.runtime.health import Undone
    from pipeline.stream.hidden import LogEnds
    from pipeline.stream.step import Step


STALL_SECONDS = 60.0


class FakeConsumer:
    """A `BatchConsumer` whose commits are confirmed at once."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.ledger = Ledger(on_settled=lambda: None)
        self.ledger.assign({tp(): Position(offset=0, committed=True)})
        self.settles_while_committing: list[Callable[[], None]] = []
        self.unreadable = UnreadablePartitions("group", now=lambda: 0.0)
        self.ends_now: list[LogEnds] = []
        self.undone_now: dict[tuple[str, int], Undone] = {}
        self.known_partitions = 1
        self.asked_about: list[list[Partition]] = []
        self.away: set[Partition] = set()
        self.full = 1
        self.looks_at_ends = 0
        self.not_taken: set[Partition] = set()

    def stop_flow(self) -> None:
        self._effects.append("stopped the flow")

    def waiting(self) -> list[Waiting]:
        return [Waiting(number, undone.messages, None) for (_, number), undone in self.undone_now.items()]

    def log_ends(self) -> list[LogEnds]:
        return self.ends_now

    def full_partitions(self) -> int:
        return self.full

    def undone(self) -> dict[tuple[str, int], Undone]:
        return self.undone_now

    def is_known(self, partition: tuple[str, int]) -> bool:
        return partition[1] < self.known_partitions

    async def look_at_ends(self, timeout_seconds: float) -> None:
        del timeout_seconds
        self.looks_at_ends += 1

    def uncommitted(self) -> Collection[Partition]:
        return self.not_taken

    async def without_answer(self, partitions: Collection[Partition], timeout_seconds: float) -> Collection[Partition]:
        del timeout_seconds
        self.asked_about.append(sorted(partitions))
        return self.away & {*partitions}

    async def commit(self) -> bool:
        commit = self.ledger.committable()
        if not commit.offsets:
            return False
        await asyncio.sleep(0)
        self.ledger.stored(commit)
        self._effects.append(f"committed {list(commit.offsets.values())}")
        if self.settles_while_committing:
            self.settles_while_committing.pop()()
        return True


class FakeApp:
    """An app (`pipeline.stream.app.App`) that runs until it is stopped."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.batch_consumer = FakeConsumer(effects)
        self.flow_control = SimpleNamespace(
            suspend=lambda: effects.append("suspended"), clear=lambda: effects.append("cleared")
        )
        self.rebalancing = False
        self.crashed = False
        self.should_stop = False
        self.crash_reason: Exception | None = None
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.slept: list[float] = []
        self._asleep = asyncio.Event()
        self._looks: asyncio.Queue[None] = asyncio.Queue()

    async def start(self) -> None:
        await self.may_start.wait()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the test wakes the worker."""
        self.slept.append(seconds)
        self._asleep.set()
        await self._looks.get()

    def wake(self) -> None:
        """Wake the worker, so that it looks at its progress."""
        self._asleep.clear()
        self._looks.put_nowait(None)

    async def look(self) -> None:
        """Wake the worker, and wait until it has looked at its progress."""
        self.wake()
        await asyncio.wait_for(self._asleep.wait(), BOUND_SECONDS)

    async def stop(self) -> None:
        self._effects.append("left")


class Clock:
    """Both clocks of a worker; only the test moves them."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_000_000.0 + self.now


class WorkerBench:
    """A worker with a fake app; only the test moves its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
        self.clock = Clock()
        self.step = FakeStep()
        self.effects = self.step.effects
        self.app = FakeApp(self.effects)
        self.built_with: dict[str, Any] = {}
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.registry = CollectorRegistry()
        monkeypatch.setattr("pipeline.stream.worker.build_app", self._build)
        monkeypatch.setattr("pipeline.stream.watching.time", self.clock)
        self.exits: list[int] = []
        monkeypatch.setattr("pipeline.runtime.signals.os._exit", self.exits.append)
        options = WorkerOptions(
            app=app_options(max_messages_in_hand=10),
            http_host="127.0.0.1",
            http_port=0,
            shutdown_timeout_seconds=1.0,
            stall_timeout_seconds=STALL_SECONDS,
            leave_timeout_seconds=1.0,
        )
        self.worker = Worker(
            options, registry=self.registry, metrics=StreamMetrics(self.registry), open_step=self._open, **parts
        )
        survive_signals()
        self.running = asyncio.create_task(self.worker.run())

    def _build(self, _options: object, _step: object, **arguments: Any) -> FakeApp:
        self.built_with = arguments
        return self.app

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Step]:
        await self.may_open.wait()
        yield self.step
        self.effects.append("closed")

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            while not condition():  # noqa: ASYNC110 - a condition of others, which set no event
                await asyncio.sleep(0.001)

    async def started(self) -> None:
        await self.until(lambda: self.app.slept and self.worker._started)

    async def ends(self) -> int:
        return await asyncio.wait_for(self.running, BOUND_SECONDS)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"onesignal_pipeline_{name}", labels)


def survive_signals() -> None:
    """Ignore signals, so that they cannot end the tests when no worker handles them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)


def stop() -> None:
    """Send SIGTERM to this process."""
    os.kill(os.getpid(), signal.SIGTERM)


class SettlingStep(FakeStep):
    """A step that settles what it has in hand when it is drained."""

    async def drain(self, *, deadline_seconds: float) -> None:
        await super().drain(deadline_seconds=deadline_seconds)
        self.settle_all()


class EndBench:
    """A worker that is already running, between fakes."""

    def __init__(self, *, watch: Callable[[], Awaitable[None]] | None = None) -> None:
        registry = CollectorRegistry()
        options = WorkerOptions(
            app=app_options(),
            http_host="127.0.0.1",
            http_port=0,
            shutdown_timeout_seconds=7.0,
            stall_timeout_seconds=60.0,
            leave_timeout_seconds=1.0,
        )
        topics: Any = None if watch is None else SimpleNamespace(run=watch)
        self.worker = Worker(
            options, registry=registry, metrics=StreamMetrics(registry), open_step=_never_opened, topics=topics
        )
        self.step = SettlingStep()
        self.effects = self.step.effects
        self.app = FakeApp(self.effects)

    def deliver(self, *runs: Iterable[int]) -> None:
        ledger = self.app.batch_consumer.ledger
        self.step.batches += [ledger.deliver(tp(), messages(*run)) for run in runs]

    async def until_the_end(self, happens: Callable[[], None] = lambda: None) -> list[str]:
        app: Any = self.app
        running = asyncio.create_task(self.worker._run_until_the_end(app, self.step))
        asyncio.get_running_loop().call_later(0.01, happens)
        await asyncio.wait_for(running, BOUND_SECONDS)
        return self.effects


def _never_opened() -> Any:
    raise AssertionError("the step is open already")
