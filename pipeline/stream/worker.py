"""One worker process: start, work, and end in order.

The first SIGTERM or SIGINT stops fetching, settles what is in hand, commits, leaves the group and ends with 0; a
second one ends at once. A fault ends with 1, and everything that is not settled stays in Kafka.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.errors import ClusterFaultError, TopicLostError
from pipeline.runtime.errors import WorkerError
from pipeline.runtime.health import Health, Progress, judge_liveness, judge_readiness
from pipeline.runtime.status_server import StatusServer
from pipeline.stream.app import FAUST_LOGGER, build_app
from pipeline.stream.hidden import HiddenClock
from pipeline.stream.lag import LagClock
from pipeline.stream.transport import check_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractAsyncContextManager

    from prometheus_client import CollectorRegistry

    from pipeline.core.messages import Partition
    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.runtime.watched_files import WatchedFiles
    from pipeline.stream.app import App, AppOptions
    from pipeline.stream.step import Step
    from pipeline.stream.transport import BatchConsumer

logger = structlog.get_logger(__name__)

WATCH_SECONDS = 1.0
BROKER_ANSWER_SECONDS = 5.0
ASK_SECONDS = 60.0
"""Kafka is asked about a partition that has not got on for so long, or for half the stall timeout."""
ENDS_SECONDS = 30.0
"""How often the ends of partitions are asked for, in case fetches tell of them no more."""
LEAVE_SECONDS = 10.0
"""How long leaving the group and closing connections may take after everything is settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker needs beside its role. Seconds as named."""

    app: AppOptions
    http_host: str
    http_port: int
    shutdown_timeout_seconds: float
    stall_timeout_seconds: float
    leave_timeout_seconds: float = LEAVE_SECONDS


class Worker:
    """Runs one role until a signal or a fault."""

    def __init__(
        self,
        options: WorkerOptions,
        *,
        registry: CollectorRegistry,
        metrics: StreamMetrics,
        open_step: Callable[[], AbstractAsyncContextManager[Step]],
        topics: TopicWatch | None = None,
        files: WatchedFiles | None = None,
    ) -> None:
        """Take what opens the role's work (it connects, and closes when its context ends), and what is watched."""
        self._options = options
        self._registry = registry
        self._metrics = metrics
        self._open_step = open_step
        self._topics = topics
        self._files = files
        self._progress = Progress(now=time.monotonic)
        self._lag = LagClock(now=time.time)
        self._hidden = HiddenClock(now=time.monotonic)
        self._stop = asyncio.Event()
        self._fault: BaseException | None = None
        self._started = False
        self._app: App | None = None
        self._step: Step | None = None

    async def run(self) -> int:
        """Work until a signal (returns 0) or a fault (returns 1)."""
        try:
            check_environment()
            return await self._run()
        except WorkerError as error:
            logger.error("the worker cannot start", error=str(error))  # noqa: TRY400 - the text says it all
            return 1

    async def _run(self) -> int:
        self._listen_for_signals()
        async with AsyncExitStack() as stack:
            status = StatusServer(
                host=self._options.http_host,
                port=self._options.http_port,
                registry=self._registry,
                liveness=self._liveness,
                readiness=self._readiness,
            )
            await status.start()
            stack.push_async_callback(status.stop)
            program = version("onesignal-pipeline")
            self._metrics.built(role=self._options.app.name, version=program)
            logger.info(
                "worker starts",
                role=self._options.app.name,
                version=program,
                group=self._options.app.group,
                topic=self._options.app.topic,
                http_port=status.port,
            )
            step = self._step = await self._opened(stack)
            if step is None:
                return 0
            source = self._topics.source if self._topics is not None else None
            app = self._app = build_app(
                self._options.app,
                step,
                on_committed=self._metrics.committed,
                on_commit_failed=self._metrics.commit_failed,
                on_rebalanced=self._metrics.rebalanced,
                source=source,
            )
            self._show_metrics(app)
            await self._run_until_the_end(app, step)
        return 0 if self._fault is None else 1

    async def _opened(self, stack: AsyncExitStack) -> Step | None:
        """Open the role's work; None when a signal comes before that is done, for nothing is in hand yet."""
        opening = asyncio.create_task(stack.enter_async_context(self._open_step()), name="open")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await opening if opening.done() else None
        finally:
            opening.cancel()
            stopping.cancel()
            await asyncio.wait({opening, stopping})

    async def _run_until_the_end(self, app: App, step: Step) -> None:
        working = asyncio.create_task(step.run(), name="work")
        starting = asyncio.create_task(app.start(), name="start")
        watching = asyncio.create_task(self._watch(app), name="watch")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        tasks: set[asyncio.Task[Any]] = {working, starting, watching, stopping}
        if self._topics is not None:
            tasks.add(asyncio.create_task(self._topics.run(), name="topics"))
        if self._files is not None:
            tasks.add(asyncio.create_task(self._files.run(), name="files"))
        everything = frozenset(tasks)
        try:
            while not (self._stop.is_set() or self._fault):
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                self._note_faults(done)
                self._started = self._started or starting in done
                tasks -= done
        finally:
            await self._end(app, step, working)
            for task in everything:
                task.cancel()
            await asyncio.wait(everything, timeout=self._options.leave_timeout_seconds)

    def _note_faults(self, done: set[asyncio.Task[Any]]) -> None:
        for task in done:
            error = task.exception()
            if error is not None and self._fault is None:
                self._fault = error
                told = isinstance(error, (WorkerError, ClusterFaultError))  # its text says it all
                logger.error(
                    "the worker ends, what is not settled stays in Kafka",
                    error=str(error),
                    exc_info=None if told else error,
                )
                FAUST_LOGGER.setLevel(logging.CRITICAL)  # what it says while it falls apart is about this fault

    async def _watch(self, app: App) -> None:
        """Look at progress once a second; raise when Faust has crashed."""
        consumer = app.batch_consumer
        next_look_at_ends = time.monotonic() + ENDS_SECONDS
        while True:
            await app.sleep(WATCH_SECONDS)
            if app.crashed or app.should_stop:
                raise app.crash_reason or WorkerError("Faust stopped by itself")
            self._lag.look(consumer.waiting())
            self._hidden.look(consumer.log_ends())
            undone = consumer.undone()
            self._progress.look(undone, self._on_purpose(undone, consumer))
            stuck = self._progress.stuck(longer_than_seconds=min(self._options.stall_timeout_seconds / 2, ASK_SECONDS))
            if stuck:
                self._progress.excuse(await consumer.without_answer(stuck, BROKER_ANSWER_SECONDS))
            if time.monotonic() >= next_look_at_ends:
                await consumer.look_at_ends(BROKER_ANSWER_SECONDS)
                next_look_at_ends = time.monotonic() + ENDS_SECONDS

    async def _end(self, app: App, step: Step, working: asyncio.Task[None]) -> None:
        """Settle, commit, leave. After a fault nothing more is sent; what is settled already is still committed."""
        app.batch_consumer.stop_flow()
        app.flow_control.suspend()
        app.flow_control.clear()
        if isinstance(self._fault, TopicLostError):  # an offset of the old topic must not be committed for the new one
            app.batch_consumer.ledger.revoke(tuple(app.batch_consumer.ledger.partitions()))
        settle = self._fault is None and not working.done()
        leaving = asyncio.create_task(self._leave(app, step if settle else None), name="leave")
        # Not `wait_for`: Faust's services swallow a cancellation and go on to stop the next of them.
        await asyncio.wait(
            {leaving}, timeout=self._options.shutdown_timeout_seconds + self._options.leave_timeout_seconds
        )
        if not leaving.done():
            logger.warning("left without the last commit or without telling the group; the messages come again")
            leaving.cancel()
        elif (error := leaving.exception()) is not None:
            logger.warning("left in disorder; what is not committed comes again", error=repr(error))

    async def _leave(self, app: App, step: Step | None) -> None:
        try:
            if step is not None:
                await step.drain(deadline_seconds=self._options.shutdown_timeout_seconds)
            while await app.batch_consumer.commit():
                pass
        finally:
            await app.stop()

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        logger.info("stopping: settling what is in hand", signal=number.name)
        self._stop.set()

    def _on_purpose(self, undone: Collection[Partition], consumer: BatchConsumer) -> Collection[Partition]:
        """Return the partitions that do not get on for a known reason."""
        known = {
            *consumer.uncommitted(),
            *consumer.unreadable.on_purpose,
            *(partition for partition in undone if not consumer.is_known(partition)),
        }
        return known if self._step is None else {*self._step.status().on_purpose, *known}

    # ---- what it tells

    def _liveness(self) -> Health:
        if not self._started:
            return Health(ok=True, detail="starting")
        return judge_liveness(progress=self._progress, stall_timeout_seconds=self._options.stall_timeout_seconds)

    def _readiness(self) -> Health:
        if self._app is None or self._step is None:
            return Health(ok=False, detail="connecting")
        return judge_readiness(
            stopping=self._stop.is_set(),
            fault=None if self._fault is None else str(self._fault),
            joined=self._started and not self._app.rebalancing,
            state=self._step.status(),
            complaint=self._complaint,
            note=self._note(self._app),
        )

    def _note(self, app: App) -> str | None:
        parts = (
            self._files.note if self._files is not None else None,
            self._hidden.note(app.batch_consumer.log_ends()),
        )
        return "; ".join(filter(None, parts)) or None

    @property
    def _complaint(self) -> str | None:
        parts = (
            self._topics.complaint if self._topics is not None else None,
            self._app.batch_consumer.unreadable.complaint if self._app is not None else None,
        )
        return "; ".join(filter(None, parts)) or None

    def _show_metrics(self, app: App) -> None:
        consumer, ledger = app.batch_consumer, app.batch_consumer.ledger
        self._metrics.watch(
            lag=lambda: self._lag.look(consumer.waiting()),
            hidden=lambda: self._hidden.look(consumer.log_ends()),
            partitions=lambda: len(ledger.partitions()),
            in_hand=ledger.messages_in_hand,
            full_partitions=consumer.full_partitions,
            seconds_since_progress=self._progress.seconds_without,
            stuck_seconds=self._progress.seconds_stuck,
            ready=lambda: float(self._readiness().ok),
            retrying=lambda: float(self._step is not None and self._step.status().retrying),
            holds=self._holds,
        )

    def _holds(self) -> set[HoldReason]:
        parts = (self._step.status() if self._step is not None else None, self._topics)
        holds = {reason for part in parts if part is not None for reason in part.holds}
        if self._app is not None and self._app.batch_consumer.unreadable.partitions:
            holds.add(HoldReason.UNREADABLE)
        return holds
