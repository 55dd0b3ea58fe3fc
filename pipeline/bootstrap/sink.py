"""Build a sink from the settings: its options, its secret, and what it reads."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from pipeline.bootstrap.producer import open_producer
from pipeline.bootstrap.role_parts import RoleParts
from pipeline.bootstrap.sink_formats import guarded, sink_formats
from pipeline.bootstrap.start import begin, conditions
from pipeline.delivery.sink import Sink
from pipeline.kafka.dead_letters import DeadLetterWriter
from pipeline.metrics.delivery import DeliveryMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.bootstrap.role_parts import RoleInputs
    from pipeline.delivery.api import Api
    from pipeline.delivery.options import DeliveryOptions
    from pipeline.stream.step import Step

logger = structlog.get_logger(__name__)


def sink_parts(destination: DestinationRow, inputs: RoleInputs) -> RoleParts:
    """Return the parts of the sink that sends to a destination."""
    options = destination.options(inputs.settings)
    metrics = DeliveryMetrics(inputs.registry, destination=destination.name)
    secret = destination.secret_file(inputs.settings, inputs.registry)
    api = destination.api(inputs.settings, secret)
    return RoleParts(open_step=lambda: _open(destination, inputs, options, metrics, api=api), files=secret)


@asynccontextmanager
async def _open(
    destination: DestinationRow,
    inputs: RoleInputs,
    options: DeliveryOptions,
    metrics: DeliveryMetrics,
    *,
    api: Api,
) -> AsyncIterator[Step]:
    """Connect the sink; it is disconnected at the end.

    Raises:
        ClusterFaultError: topics or committed offsets cannot be used as they are, or Kafka does not answer.
    """
    settings, watch, stream_metrics = inputs.settings, inputs.watch, inputs.stream_metrics
    topics = await begin(inputs)
    async with (
        sink_formats(settings, destination.records) as formats,
        open_producer(settings, inputs.connection, stream_metrics, clock=watch.clock) as producer,
    ):
        logger.info("sending records", destination=destination.name, endpoint=options.endpoint, lanes=options.lanes)
        letters = inputs.topics.dead_letters.name
        sink = Sink(
            api=api,
            options=options,
            dead_letters=DeadLetterWriter(
                producer,
                topic=letters,
                partitions=topics[letters].partitions,
                now_ms=watch.clock.now_ms,
                on_stored=stream_metrics.dead_letters_stored,
            ),
            metrics=metrics,
            wall_clock=watch.clock.now,
            read_avro=formats.read_avro,
        )
        yield guarded(sink, formats.schemas, conditions(watch))
