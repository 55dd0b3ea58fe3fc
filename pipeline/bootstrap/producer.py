"""Build the producer from the settings."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.kafka.producer import BatchProducer
from pipeline.settings.choices import RecordsCompression

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.kafka.broker_clock import BrokerClock
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.settings.sections import Settings


@asynccontextmanager
async def open_producer(
    settings: Settings,
    connection: ConnectionOptions,
    metrics: StreamMetrics,
    *,
    clock: BrokerClock | None = None,
    on_retry: Callable[[], None] = lambda: None,
) -> AsyncIterator[BatchProducer]:
    """Connect a producer; it is closed at the end. `on_retry` is called when a write is repeated."""

    def retried() -> None:
        metrics.write_retried()
        on_retry()

    compression = settings.records_compression
    producer = BatchProducer(
        connection,
        compression=None if compression is RecordsCompression.NONE else compression.value,
        on_retry=retried,
        on_limit=metrics.batches_limited,
        clock=clock,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
