"""Build what writes to Kafka out of settings."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.kafka.producer import BatchProducer
from pipeline.settings.choices import RecordsCompression

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.metrics.stream import StreamMetrics
    from pipeline.settings.sections import Settings


@asynccontextmanager
async def open_producer(
    settings: Settings, connection: ConnectionOptions, metrics: StreamMetrics
) -> AsyncIterator[BatchProducer]:
    """Connect a producer; it is closed in the end."""
    compression = settings.records_compression
    producer = BatchProducer(
        connection,
        compression=None if compression is RecordsCompression.NONE else compression.value,
        on_retry=metrics.write_retried,
        on_limit=metrics.batches_limited,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def now_ms() -> int:
    """Tell the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
