"""What a role is built from, and what a worker runs of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from prometheus_client import CollectorRegistry

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.topic_use import TopicUse
    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.runtime.watched_files import WatchedFiles
    from pipeline.settings.sections import Settings
    from pipeline.stream.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleInputs:
    """What every role is built from. `keyed` names the topics whose partition count must not change."""

    settings: Settings
    connection: ConnectionOptions
    registry: CollectorRegistry
    stream_metrics: StreamMetrics
    watch: TopicWatch
    group: str
    topics: TopicUse
    keyed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleParts:
    """What a worker runs: a step, which connects when it is opened, and the files that are read again meanwhile."""

    open_step: Callable[[], AbstractAsyncContextManager[Step]]
    files: WatchedFiles | None = None
