"""Build a worker from the settings, and run it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    disable_created_metrics,
)

from pipeline.bootstrap.destinations.table import with_credentials
from pipeline.bootstrap.files import working_folder
from pipeline.bootstrap.role_parts import RoleInputs
from pipeline.bootstrap.roles import (
    ROLES,
    collect_seconds,
    roles_of,
    room_for,
    topic_use,
    topic_uses,
    worker_arguments,
)
from pipeline.kafka.broker_clock import BrokerClock
from pipeline.kafka.connection import connection_options
from pipeline.kafka.topic_watch import TopicWatch
from pipeline.kafka.topics import check_topics
from pipeline.metrics.stream import StreamMetrics
from pipeline.runtime import supervisor
from pipeline.runtime.allocation import bound_unpacking, keep_freed_memory, spare_the_collector
from pipeline.runtime.memory_limit import memory_limit_bytes
from pipeline.runtime.own_loop import run_in_own_loop
from pipeline.stream.app import AppOptions
from pipeline.stream.worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.settings.choices import Role
    from pipeline.settings.sections import Settings


def run_all(environment: Mapping[str, str], settings: Settings) -> int:
    """Check the topics of the roles of every destination with credentials, then run one process for each role.

    Returns:
        The exit code.

    Raises:
        TopicsError: the topics cannot be used as they are; every fault of every role is listed.
        KafkaUnreachableError: no broker can be reached.
    """
    roles = roles_of(with_credentials(settings))
    asyncio.run(check_topics(connection_options(settings), settings, topic_uses(roles, settings)))
    commands = {role.value: worker_arguments(role) for role in roles}
    return supervisor.run_all(environment, commands, http_port=settings.http_port)


def run_worker(role: Role, settings: Settings) -> int:
    """Run one role until a signal or a fault; return the exit code.

    Raises:
        SettingsError: the settings, or files that they name, cannot be used; every mistake is listed.
        ClusterFaultError: topics or committed offsets cannot be used as they are, or no broker can be reached.
    """
    bound_unpacking(settings.max_unpacked_batch_bytes)
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library gives it no types
    inputs = _inputs(role, settings)
    inputs.stream_metrics.bounds(memory_bytes=memory_limit_bytes())
    inputs.stream_metrics.clock(lambda: inputs.watch.clock.difference)
    with working_folder(settings) as folder:
        parts = ROLES[role].build(ROLES[role].destination, inputs)
        worker = Worker(
            _options(role, inputs, folder),
            registry=inputs.registry,
            metrics=inputs.stream_metrics,
            open_step=parts.open_step,
            topics=inputs.watch,
            files=parts.files,
        )
        spare_the_collector()
        keep_freed_memory()
        return run_in_own_loop(worker.run())


def _inputs(role: Role, settings: Settings) -> RoleInputs:
    row, connection, registry = ROLES[role], connection_options(settings), CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    clock = BrokerClock(limit_seconds=settings.clock_max_difference_seconds)
    return RoleInputs(
        settings=settings,
        connection=connection,
        registry=registry,
        stream_metrics=StreamMetrics(registry, destination=row.destination.name),
        watch=TopicWatch(connection, interval_seconds=settings.topic_watch_seconds, clock=clock),
        group=settings.value(row.group),
        topics=topic_use(role, settings),
        keyed=tuple(settings.value(setting) for setting in row.keyed),
    )


def _options(role: Role, inputs: RoleInputs, folder: Path) -> WorkerOptions:
    settings = inputs.settings
    room = room_for(role, settings)
    return WorkerOptions(
        app=AppOptions(
            name=role.value,
            group=inputs.group,
            topic=inputs.topics.reads.name,
            connection=inputs.connection,
            data_directory=folder,
            session_timeout_seconds=settings.session_timeout_seconds,
            rebalance_timeout_seconds=settings.rebalance_timeout_seconds,
            revoke_timeout_seconds=settings.revoke_timeout_seconds,
            max_poll_interval_seconds=settings.max_poll_interval_seconds,
            commit_interval_seconds=settings.commit_interval_seconds,
            collect_seconds=collect_seconds(role, settings),
            max_poll_records=room.at_once,
            max_messages_in_hand=room.messages,
            max_bytes_in_hand=room.size,
            fetch_max_bytes=settings.fetch_max_bytes,
        ),
        http_host=settings.http_host,
        http_port=settings.http_port,
        shutdown_timeout_seconds=settings.shutdown_timeout_seconds,
        stall_timeout_seconds=settings.stall_timeout_seconds,
    )
