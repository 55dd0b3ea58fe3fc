"""One worker process: start, run a role's step, and end in order.

The first SIGTERM or SIGINT stops fetching, settles what is in hand, commits, leaves the group, and ends with exit code
0. A second signal ends the process at once. A fault ends it with 1, and everything unsettled stays in Kafka.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.errors import ClusterFaultError, TopicLostError
from pipeline.runtime.errors import WorkerError
from pipeline.runtime.health import Health, judge_liveness, judge_readiness
from pipeline.runtime.shutdown import shut_down
from pipeline.runtime.signals import StopSignals
from pipeline.runtime.status_server import StatusServer
from pipeline.stream.app import FAUST_LOGGER, build_app
from pipeline.stream.environment import check_environment
from pipeline.stream.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from prometheus_client import CollectorRegistry

    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.runtime.watched_files import WatchedFiles
    from pipeline.stream.app import App, AppOptions
    from pipeline.stream.step import Step

logger = structlog.get_logger(__name__)

LEAVE_SECONDS = 10.0
"""How long leaving the group and closing connections may take after everything is settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """The options of a worker that do not depend on its role."""

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
        """Prepare a worker; nothing starts before `run`.

        Args:
            options: Times, ports and the options of the app.
            registry: Metrics that are served.
            metrics: Metrics of the stream.
            open_step: Connects the role's step; it is disconnected when the context ends.
            topics: Watches the topics of the role.
            files: Reloads the files of the role.
        """
        self._options = options
        self._registry = registry
        self._metrics = metrics
        self._open_step = open_step
        self._topics = topics
        self._files = files
        self._signals = StopSignals()
        self._stop = self._signals.stop
        self._watching = Watching(stall_timeout_seconds=options.stall_timeout_seconds)
        self._fault: BaseException | None = None
        self._started = False
        self._app: App | None = None
        self._step: Step | None = None

    async def run(self) -> int:
        """Run until a signal (returns 0) or a fault (returns 1)."""
        try:
            check_environment()
            return await self._run()
        except WorkerError as error:
            logger.error("the worker cannot start", error=str(error))  # noqa: TRY400 - the text is enough
            return 1

    async def _run(self) -> int:
        self._signals.listen()
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
        """Open the role's step; return None if a signal comes first, because nothing is in hand yet."""
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
        running = asyncio.create_task(step.run(), name="step")
        starting = asyncio.create_task(app.start(), name="start")
        watching = asyncio.create_task(self._watching.run(app, step), name="watch")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        tasks: set[asyncio.Task[Any]] = {running, starting, watching, stopping}
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
            await self._end(app, step, running)
            for task in everything:
                task.cancel()
            await asyncio.wait(everything, timeout=self._options.leave_timeout_seconds)

    def _note_faults(self, done: set[asyncio.Task[Any]]) -> None:
        for task in done:
            error = task.exception()
            if error is not None and self._fault is None:
                self._fault = error
                known = isinstance(error, (WorkerError, ClusterFaultError))  # the text is enough
                logger.error(
                    "worker ends after a fault; unsettled messages stay in Kafka",
                    error=str(error),
                    exc_info=None if known else error,
                )
                FAUST_LOGGER.setLevel(logging.CRITICAL)  # whatever Faust logs from now on follows from this fault

    async def _end(self, app: App, step: Step, running: asyncio.Task[None]) -> None:
        """Settle, commit, leave. After a fault nothing more is sent, but what is settled is still committed."""
        consumer = app.batch_consumer
        consumer.stop_flow()
        app.flow_control.suspend()
        app.flow_control.clear()
        if isinstance(self._fault, TopicLostError):  # an offset of the old topic must not be committed for the new one
            consumer.ledger.revoke(tuple(consumer.ledger.partitions()))
        settles = self._fault is None and not running.done()
        drain_seconds = self._options.shutdown_timeout_seconds
        await shut_down(
            drain=partial(step.drain, deadline_seconds=drain_seconds) if settles else None,
            commit=consumer.commit,
            leave=app.stop,
            timeout_seconds=drain_seconds + self._options.leave_timeout_seconds,
        )

    # ---- What the status pages and metrics show.

    def _liveness(self) -> Health:
        if not self._started:
            return Health(ok=True, detail="starting")
        return judge_liveness(
            progress=self._watching.progress, stall_timeout_seconds=self._options.stall_timeout_seconds
        )

    def _readiness(self) -> Health:
        if self._app is None or self._step is None:
            return Health(ok=False, detail="connecting")
        return judge_readiness(
            stopping=self._stop.is_set(),
            fault=None if self._fault is None else str(self._fault),
            joined=self._started and not self._app.rebalancing,
            status=self._step.status(),
            complaint=self._complaint,
            note=self._note(self._app),
        )

    def _note(self, app: App) -> str | None:
        files = self._files.note if self._files is not None else None
        return "; ".join(filter(None, (files, self._watching.note(app.batch_consumer)))) or None

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
            lag=lambda: self._watching.lag(consumer),
            hidden=lambda: self._watching.hidden(consumer),
            partitions=lambda: len(ledger.partitions()),
            in_hand=ledger.messages_in_hand,
            full_partitions=consumer.full_partitions,
            seconds_since_progress=self._watching.progress.seconds_without,
            stuck_seconds=self._watching.progress.seconds_stuck,
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
