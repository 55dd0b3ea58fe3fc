"""Build the processor out of settings: its rules, what it remembers, and where its records go."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.bootstrap.formats import RawReader, processor_formats
from pipeline.bootstrap.policy import build_policy, rules_source
from pipeline.bootstrap.producer import open_producer
from pipeline.bootstrap.state import open_state
from pipeline.bootstrap.topics import begin, conditions, retention_seconds
from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.classification import Destination
from pipeline.core.events import decode as decode_json
from pipeline.kafka.dead_letters import DeadLetterWriter
from pipeline.kafka.needs import Needs
from pipeline.kafka.records import Repartition, SamePartition
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.metrics.state import StateMetrics
from pipeline.processor.counts import ProcessorCounts
from pipeline.processor.keying import ForeignKeysError, judge, latest
from pipeline.processor.processor import Processor
from pipeline.processor.rules_reload import RulesReload
from pipeline.processor.state_prerequisite import StateFirst
from pipeline.settings.choices import Partitioning, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from pipeline.core.events import Event
    from pipeline.core.policy import Policy
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.needs import Prerequisites
    from pipeline.kafka.producer import BatchProducer
    from pipeline.kafka.topic_schemas import TopicSchemas
    from pipeline.kafka.topic_watch import TopicWatch
    from pipeline.kafka.topics import FoundTopic
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.settings.sections import Settings
    from pipeline.stream.step import Step

logger = structlog.get_logger(__name__)


class ProcessorRole:
    """What a worker needs to be a processor. ``rules`` are what it decides by, and change with their files."""

    def __init__(
        self,
        settings: Settings,
        connection: ConnectionOptions,
        registry: CollectorRegistry,
        stream_metrics: StreamMetrics,
        watch: TopicWatch,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._stream_metrics = stream_metrics
        self._watch = watch
        destination = Destination.SEGMENT.value
        self._metrics = ProcessorMetrics(registry, destination=destination)
        self._state_metrics = StateMetrics(registry, destination=destination)
        self._rules_metrics = RulesMetrics(registry, destination=destination)
        self._counts = ProcessorCounts(self._metrics, self._rules_metrics)
        self._reader = RawReader(decode_json, None, settings.raw_topic)
        self.rules = RulesReload(
            rules_source(settings),
            build_policy(settings),
            metrics=self._rules_metrics,
            interval_seconds=settings.rules_reload_seconds,
            objection=self._objection,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Step]:
        """Connect the processor; it is disconnected in the end.

        Raises:
            ClusterFaultError: topics, keys or committed offsets cannot be used as they are, or Kafka does not answer.
        """
        settings, connection = self._settings, self._connection
        topics = await begin(Role.PROCESSOR, settings, connection, self._watch)
        self._stream_metrics.retention(retention_seconds(Role.PROCESSOR, settings, topics))
        source = self._watch.source
        async with (
            processor_formats(settings) as formats,
            open_producer(
                settings,
                connection,
                self._stream_metrics,
                clock=self._watch.clock,
                on_retry=self._counts.write_repeated,
            ) as producer,
            open_state(
                settings,
                connection,
                producer,
                None if source is None else source.identity,
                now_ms=self._watch.clock.now_ms,
            ) as memories,
        ):
            self._reader = RawReader(formats.formats.decode, formats.schemas, settings.raw_topic)
            if (objection := await self._objection(self.rules.policy)) is not None:
                raise ForeignKeysError(objection)
            self._state_metrics.watch(memories)
            processor = Processor(
                policy=lambda: self.rules.policy,
                records=self._records(producer, topics),
                dead_letters=DeadLetterWriter(
                    producer,
                    topic=settings.dead_letter_topic,
                    partitions=topics[settings.dead_letter_topic].partitions,
                    now_ms=self._watch.clock.now_ms,
                    on_stored=self._stream_metrics.dead_letters_stored,
                ),
                metrics=self._metrics,
                counts=self._counts,
                breaker=Breaker(
                    BreakerLimits(max_share=settings.dead_letter_max_share, window=settings.dead_letter_window)
                ),
                retrying=lambda: producer.retrying,
                hold_reason=lambda: producer.hold_reason,
                store_holds=lambda: producer.holds,
                formats=formats.formats,
                memories=memories,
                needs=needs_of(formats.schemas, *conditions(self._watch), StateFirst(memories)),
                patience_seconds=producer.request_timeout_seconds,
            )
            yield processor

    def _records(self, producer: BatchProducer, topics: dict[str, FoundTopic]) -> SamePartition | Repartition:
        topic = self._settings.records_topic
        match self._settings.partitioning:
            case Partitioning.SAME:
                return SamePartition(producer, topic=topic)
            case Partitioning.REPARTITION:
                return Repartition(producer, topic=topic, partitions=topics[topic].partitions)

    async def _objection(self, policy: Policy) -> str | None:
        """Say why rules that need tracked users must not be used here.

        Raises:
            ClusterFaultError: Kafka or the schema registry does not answer, so nothing can be said.
        """
        source = self._watch.source
        if not policy.rules.needs_tracked_users or source is None:
            return None
        if self._settings.partitioning is Partitioning.REPARTITION:
            logger.warning("with repartitioning a user is tracked in each raw partition by itself")
            return None
        messages = await latest(self._connection, self._settings.raw_topic, source.partitions)
        await self._reader.learn(messages)
        return judge(messages, source.partitions, self._reader.decode, policy.empty_ids).objection


def needs_of(schemas: TopicSchemas[Event] | None, *others: Prerequisites[Any]) -> Needs:
    """Return what a batch needs before it is decided; schemas last, for what is known of them may be doubted soon."""
    return Needs(*others) if schemas is None else Needs(*others, schemas)
