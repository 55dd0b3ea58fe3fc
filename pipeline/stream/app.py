"""Build the Faust app of one role."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faust
from faust.app.base import BootStrategy
from faust.sensors import Monitor
from faust.tables.manager import TableManager
from mode import Service

from pipeline.stream.agents import add_agent
from pipeline.stream.transport import Transport
from pipeline.stream.transport_options import TransportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from pipeline.kafka.groups import KnownSource
    from pipeline.stream.ledger import TopicPartition
    from pipeline.stream.step import Step
    from pipeline.stream.transport import BatchConsumer

FAUST_LOGGER = logging.getLogger("faust")
"""Faust's services log starts and stops under the name of the module of their subclass."""
FETCH_WAIT_MS = 500
"""How long a broker may wait for the first message."""
FETCH_ANSWER_BYTES = 2 * 1024 * 1024
"""The most bytes in one answer to a fetch, for all partitions together. aiokafka holds it up to three times."""
NEVER_SECONDS = 10.0**9
SECONDS_OF_HEARTBEATS = 3.0
"""A session spans a little more than three heartbeats; more of them gain nothing."""
REQUEST_TIMEOUT_SECONDS = 40.0
"""A JoinGroup is answered within the rebalance timeout, and must not time out before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """The settings of a role's app."""

    name: str
    group: str
    topic: str
    connection: Mapping[str, Any]
    data_directory: Path
    session_timeout_seconds: float
    rebalance_timeout_seconds: float
    revoke_timeout_seconds: float
    max_poll_interval_seconds: float
    commit_interval_seconds: float
    collect_seconds: float
    max_poll_records: int
    max_messages_in_hand: int
    max_bytes_in_hand: int
    fetch_max_bytes: int


class _Boot(BootStrategy):  # type: ignore[misc] # Faust's classes have no usable types
    """Start only what a worker uses: we have our own producer and our own server for status pages."""

    enable_kafka_producer = False
    enable_web = False


class _Tables(TableManager):  # type: ignore[misc] # Faust's classes have no usable types
    """No tables: Faust would wait a second for their registration before it joins the group."""

    logger = FAUST_LOGGER

    async def on_start(self) -> None:
        """Start without waiting."""
        await self._update_channels()
        await self.recovery.start()


class _Unmeasured(Monitor):  # type: ignore[misc] # Faust's classes have no usable types
    """Faust's monitor, which nobody reads: it would record each event, and aggregate once a second."""

    def on_stream_event_in(self, tp: Any, offset: int, stream: Any, event: Any) -> None:
        """Do nothing."""

    def on_stream_event_out(self, tp: Any, offset: int, stream: Any, event: Any, state: Any = None) -> None:
        """Do nothing."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _sampler(self) -> None:
        """Return at once."""


class App(faust.App):  # type: ignore[misc] # Faust's classes have no usable types
    """A Faust app on the batch transport."""

    BootStrategy = _Boot
    logger = FAUST_LOGGER

    @property
    def batch_consumer(self) -> BatchConsumer:
        """The consumer, with its ledger."""
        consumer: BatchConsumer = self.consumer
        return consumer


def build_app(
    options: AppOptions,
    step: Step,
    *,
    on_committed: Callable[[], None],
    on_commit_failed: Callable[[], None] = lambda: None,
    on_rebalanced: Callable[[], None] = lambda: None,
    source: KnownSource | None = None,
) -> App:
    """Build the app of one role, inside the event loop that will run it. `source` is its topic as it was found."""
    app = App(
        options.group,
        broker="kafka://",  # the connection is in the consumer's own arguments
        store="memory://",
        datadir=str(options.data_directory),
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        broker_commit_interval=NEVER_SECONDS,  # the batch consumer commits by itself
        broker_request_timeout=NEVER_SECONDS,  # after it Faust stops waiting for positions, and never goes on
        broker_session_timeout=options.session_timeout_seconds,
        broker_rebalance_timeout=options.rebalance_timeout_seconds,
        broker_max_poll_interval=options.max_poll_interval_seconds,
        web_enabled=False,
        TableManager=_Tables,
        Monitor=_Unmeasured,
    )

    def assigned(partitions: Collection[TopicPartition]) -> None:
        on_rebalanced()
        step.assigned(partitions)

    app.transport = Transport(
        app.conf.broker_consumer,
        app,
        options=TransportOptions(
            consumer=_consumer_options(options),
            max_messages_in_hand=options.max_messages_in_hand,
            max_bytes_in_hand=options.max_bytes_in_hand,
            collect_seconds=options.collect_seconds,
            commit_interval_seconds=options.commit_interval_seconds,
            revoke_timeout_seconds=options.revoke_timeout_seconds,
            before_revoke=lambda partitions: step.revoke(partitions, timeout_seconds=options.revoke_timeout_seconds),
            on_committed=on_committed,
            on_commit_failed=on_commit_failed,
            on_assigned=assigned,
            source=source,
        ),
    )
    add_agent(app, name=options.name, topic=options.topic, step=step)
    return app


def _consumer_options(options: AppOptions) -> dict[str, Any]:
    rebalance_ms = _ms(options.rebalance_timeout_seconds)
    return {
        **options.connection,
        "client_id": f"onesignal-pipeline-{options.name}",
        "session_timeout_ms": _ms(options.session_timeout_seconds),
        "heartbeat_interval_ms": _ms(min(SECONDS_OF_HEARTBEATS, options.session_timeout_seconds / 3)),
        "rebalance_timeout_ms": rebalance_ms,
        # Days: a hold must not cost the membership (aiokafka leaves the group and then never joins again).
        "max_poll_interval_ms": _ms(options.max_poll_interval_seconds),
        "request_timeout_ms": max(_ms(REQUEST_TIMEOUT_SECONDS), rebalance_ms + 5_000),
        "max_poll_records": options.max_poll_records,
        "max_partition_fetch_bytes": options.fetch_max_bytes,
        "fetch_max_bytes": max(FETCH_ANSWER_BYTES, options.fetch_max_bytes),
        "fetch_max_wait_ms": FETCH_WAIT_MS,
        "metadata_max_age_ms": 60_000,
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
