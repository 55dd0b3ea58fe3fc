"""Build a worker out of settings, and run it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    disable_created_metrics,
)

from pipeline.bootstrap.files import working_folder
from pipeline.bootstrap.formats import guarded, sink_formats
from pipeline.bootstrap.processor import ProcessorRole
from pipeline.bootstrap.producer import open_producer
from pipeline.bootstrap.segment import segment_connector, segment_options, write_key_file
from pipeline.bootstrap.topics import begin, conditions, retention_seconds
from pipeline.core.classification import Destination
from pipeline.delivery.sink import SegmentSink
from pipeline.kafka.broker_clock import BrokerClock
from pipeline.kafka.connection import connection_options
from pipeline.kafka.dead_letters import DeadLetterWriter
from pipeline.kafka.topic_watch import TopicWatch
from pipeline.metrics.delivery import DeliveryMetrics
from pipeline.metrics.stream import StreamMetrics
from pipeline.runtime.allocation import bound_unpacking, keep_freed_memory, spare_the_collector
from pipeline.runtime.memory_limit import memory_limit_bytes
from pipeline.runtime.own_loop import run_in_own_loop
from pipeline.settings.choices import Role
from pipeline.stream.app import AppOptions
from pipeline.stream.worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from pipeline.delivery.client import SegmentClient
    from pipeline.delivery.options import SegmentOptions
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.runtime.watched_files import WatchedFiles
    from pipeline.settings.sections import Settings
    from pipeline.stream.step import Step

logger = structlog.get_logger(__name__)


def run_worker(role: Role, settings: Settings) -> int:
    """Run one role until a signal or a fault; return the exit code.

    Raises:
        SettingsError: the settings, or files that they name, cannot be used; every mistake is listed.
        ClusterFaultError: topics or committed offsets cannot be used as they are, or no broker can be spoken to.
    """
    connection = connection_options(settings)
    bound_unpacking(settings.max_unpacked_batch_bytes)
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library gives it no types
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    metrics = StreamMetrics(registry, destination=Destination.SEGMENT.value)
    metrics.bounds(memory_bytes=memory_limit_bytes())
    with working_folder(settings) as folder:
        clock = BrokerClock(limit_seconds=settings.clock_max_difference_seconds)
        metrics.clock(lambda: clock.difference)
        watch = TopicWatch(connection, interval_seconds=settings.topic_watch_seconds, clock=clock)
        role_parts = _role_parts(role, settings, connection, registry, metrics, watch=watch)
        worker_options = WorkerOptions(
            app=AppOptions(
                name=role.value,
                group=role_parts.group,
                topic=role_parts.topic,
                connection=connection,
                data_directory=folder,
                session_timeout_seconds=settings.session_timeout_seconds,
                rebalance_timeout_seconds=settings.rebalance_timeout_seconds,
                revoke_timeout_seconds=settings.revoke_timeout_seconds,
                max_poll_interval_seconds=settings.max_poll_interval_seconds,
                commit_interval_seconds=settings.commit_interval_seconds,
                collect_seconds=collect_seconds(role, settings),
                max_poll_records=settings.max_poll_records,
                max_messages_in_hand=settings.max_messages_in_hand,
                max_bytes_in_hand=settings.max_bytes_in_hand,
                fetch_max_bytes=settings.fetch_max_bytes,
            ),
            http_host=settings.http_host,
            http_port=settings.http_port,
            shutdown_timeout_seconds=settings.shutdown_timeout_seconds,
            stall_timeout_seconds=settings.stall_timeout_seconds,
        )
        worker = Worker(
            worker_options,
            registry=registry,
            metrics=metrics,
            open_work=role_parts.open_work,
            topics=watch,
            files=role_parts.files,
        )
        spare_the_collector()
        keep_freed_memory()
        return run_in_own_loop(worker.run())


def collect_seconds(role: Role, settings: Settings) -> float:
    """Return how long messages may be collected; a sink's are part of its flush interval, so never longer than that."""
    seconds = settings.fetch_max_wait_ms / 1000
    return min(seconds, settings.segment_flush_interval_seconds) if role is Role.SEGMENT_SINK else seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoleParts:
    """What differs from role to role."""

    group: str
    topic: str
    open_work: Callable[[], AbstractAsyncContextManager[Step]]
    files: WatchedFiles | None = None


def _role_parts(
    role: Role,
    settings: Settings,
    connection: ConnectionOptions,
    registry: CollectorRegistry,
    stream_metrics: StreamMetrics,
    *,
    watch: TopicWatch,
) -> _RoleParts:
    match role:
        case Role.PROCESSOR:
            processor = ProcessorRole(settings, connection, registry, stream_metrics, watch)
            return _RoleParts(
                group=settings.processor_group,
                topic=settings.raw_topic,
                open_work=processor.open,
                files=processor.rules,
            )
        case Role.SEGMENT_SINK:
            options = segment_options(settings)
            sink_metrics = DeliveryMetrics(registry, destination=Destination.SEGMENT.value)
            key = write_key_file(settings, registry)
            return _RoleParts(
                group=settings.segment_sink_group,
                topic=settings.records_topic,
                open_work=lambda: _segment_sink(
                    settings,
                    connection,
                    options,
                    sink_metrics,
                    stream_metrics,
                    watch=watch,
                    connect=segment_connector(key),
                ),
                files=key,
            )


@asynccontextmanager
async def _segment_sink(
    settings: Settings,
    connection: ConnectionOptions,
    options: SegmentOptions,
    metrics: DeliveryMetrics,
    stream_metrics: StreamMetrics,
    *,
    watch: TopicWatch,
    connect: Callable[[SegmentOptions], SegmentClient],
) -> AsyncIterator[Step]:
    topics = await begin(Role.SEGMENT_SINK, settings, connection, watch)
    stream_metrics.retention(retention_seconds(Role.SEGMENT_SINK, settings, topics))
    async with (
        sink_formats(settings) as formats,
        open_producer(settings, connection, stream_metrics, clock=watch.clock) as producer,
    ):
        logger.info("records go to Segment", endpoint=options.endpoint, lanes=options.lanes)
        sink = SegmentSink(
            options=options,
            dead_letters=DeadLetterWriter(
                producer,
                topic=settings.dead_letter_topic,
                partitions=topics[settings.dead_letter_topic].partitions,
                now_ms=watch.clock.now_ms,
                on_stored=stream_metrics.dead_letters_stored,
            ),
            metrics=metrics,
            wall_clock=watch.clock.now,
            connect=connect,
            store_retrying=lambda: producer.retrying,
            store_hold_reason=lambda: producer.hold_reason,
            store_holds=lambda: producer.holds,
            read_avro=formats.read_avro,
        )
        yield guarded(sink, formats.schemas, conditions(watch))
