"""Build a processor from the settings: its rules, its state, and its outbound topic."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.bootstrap.policy import build_policy, log_rules, rules_source
from pipeline.bootstrap.processor_formats import RawReader, processor_formats
from pipeline.bootstrap.producer import open_producer
from pipeline.bootstrap.role_parts import RoleParts
from pipeline.bootstrap.start import begin, conditions
from pipeline.bootstrap.state import open_state
from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.events import decode as decode_json
from pipeline.kafka.dead_letters import DeadLetterWriter
from pipeline.kafka.prerequisites import Prerequisites
from pipeline.kafka.records import Repartition, SamePartition
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.metrics.state import StateMetrics
from pipeline.processor.admission import Admission
from pipeline.processor.counts import ProcessorCounts
from pipeline.processor.keying import ForeignKeysError, judge, latest
from pipeline.processor.processor import Processor
from pipeline.processor.rules_reload import RulesReload
from pipeline.processor.state_prerequisite import StatePrerequisite
from pipeline.processor.step import ProcessorStep
from pipeline.settings.choices import Partitioning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.bootstrap.role_parts import RoleInputs
    from pipeline.core.events import Event
    from pipeline.core.policy import Policy
    from pipeline.kafka.prerequisites import Prerequisite
    from pipeline.kafka.producer import BatchProducer
    from pipeline.kafka.topic_schemas import TopicSchemas
    from pipeline.kafka.topic_use import UsedTopic
    from pipeline.kafka.topics import FoundTopic
    from pipeline.stream.step import Step

logger = structlog.get_logger(__name__)


def processor_parts(destination: DestinationRow, inputs: RoleInputs) -> RoleParts:
    """Return the parts of the processor that builds records for a destination."""
    role = _ProcessorRole(destination, inputs)
    return RoleParts(open_step=role.open, files=role.rules)


class _ProcessorRole:
    """Holds what a processor is built from. `rules` decide, and change with their files."""

    def __init__(self, destination: DestinationRow, inputs: RoleInputs) -> None:
        self._destination = destination
        self._inputs = inputs
        self._settings = settings = inputs.settings
        self._watch = inputs.watch
        self._metrics = ProcessorMetrics(inputs.registry, destination=destination.name)
        self._state_metrics = StateMetrics(inputs.registry, destination=destination.name)
        self._rules_metrics = RulesMetrics(inputs.registry, destination=destination.name)
        self._counts = ProcessorCounts(self._metrics, self._rules_metrics)
        self._reader = RawReader(decode_json, None, inputs.topics.reads.name)
        policy = build_policy(settings, destination)
        log_rules(policy, settings, destination)
        self.rules = RulesReload(
            rules_source(settings, destination),
            policy,
            metrics=self._rules_metrics,
            interval_seconds=settings.rules_reload_seconds,
            objection=self._objection,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Step]:
        """Connect the processor; it is disconnected at the end.

        Raises:
            ClusterFaultError: topics, keys or committed offsets cannot be used as they are, or Kafka does not answer.
        """
        settings, connection, use = self._settings, self._inputs.connection, self._inputs.topics
        topics = await begin(self._inputs)
        source = self._watch.source
        async with (
            processor_formats(settings, self._destination) as formats,
            open_producer(
                settings,
                connection,
                self._inputs.stream_metrics,
                clock=self._watch.clock,
                on_retry=self._counts.write_repeated,
            ) as producer,
            open_state(
                settings,
                self._destination,
                connection,
                producer,
                None if source is None else source.identity,
                now_ms=self._watch.clock.now_ms,
            ) as state,
        ):
            self._reader = RawReader(formats.formats.decode, formats.schemas, use.reads.name)
            if (objection := await self._objection(self.rules.policy)) is not None:
                raise ForeignKeysError(objection)
            self._state_metrics.watch(state)
            processor = Processor(
                policy=lambda: self.rules.policy,
                records=self._records(producer, topics, use.writes),
                dead_letters=DeadLetterWriter(
                    producer,
                    topic=use.dead_letters.name,
                    partitions=topics[use.dead_letters.name].partitions,
                    now_ms=self._watch.clock.now_ms,
                    on_stored=self._inputs.stream_metrics.dead_letters_stored,
                ),
                counts=self._counts,
                admission=Admission(
                    Breaker(
                        BreakerLimits(max_share=settings.dead_letter_max_share, window=settings.dead_letter_window)
                    ),
                    producer,
                ),
                formats=formats.formats,
                state=state,
                prerequisites=prerequisites_of(formats.schemas, *conditions(self._watch), StatePrerequisite(state)),
            )
            yield ProcessorStep(
                processor, store=producer, metrics=self._metrics, patience_seconds=producer.request_timeout_seconds
            )

    def _records(
        self, producer: BatchProducer, topics: dict[str, FoundTopic], outbound: UsedTopic | None
    ) -> SamePartition | Repartition:
        if outbound is None:
            raise ValueError("a processor has an outbound topic")
        match self._settings.partitioning:
            case Partitioning.SAME:
                return SamePartition(producer, topic=outbound.name)
            case Partitioning.REPARTITION:
                return Repartition(producer, topic=outbound.name, partitions=topics[outbound.name].partitions)

    async def _objection(self, policy: Policy) -> str | None:
        """Return why rules that need tracked users must not be used here; None if they may be.

        Raises:
            ClusterFaultError: Kafka or the schema registry does not answer.
        """
        source = self._watch.source
        if not policy.rules.needs_tracked_users or source is None:
            return None
        if self._settings.partitioning is Partitioning.REPARTITION:
            logger.warning("with repartitioning a user is tracked in each raw partition separately")
            return None
        messages = await latest(self._inputs.connection, self._inputs.topics.reads.name, source.partitions)
        await self._reader.learn(messages)
        return judge(messages, source.partitions, self._reader.decode, policy.empty_ids).objection


def prerequisites_of(schemas: TopicSchemas[Event] | None, *others: Prerequisite[Any]) -> Prerequisites:
    """Return what a batch needs before it is decided.

    Schemas are resolved last: an unknown-id verdict expires after a minute, so a batch must not wait for anything else
    in between.
    """
    return Prerequisites(*others) if schemas is None else Prerequisites(*others, schemas)
