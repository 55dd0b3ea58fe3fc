"""Resident memory of real worker processes while their output is blocked and their topic is full."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import TYPE_CHECKING, Final

import orjson
import psutil
import pytest

from pipeline.core.avro.framing import registry_prefix
from pipeline.core.destinations.segment.avro import encode_record
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.kafka import headers
from pipeline.settings.choices import Role
from tests.bench.traffic import EVENT_BYTES, events, record_messages
from tests.builders import MIXPANEL
from tests.fakes.schema_registry import Answer, FakeRegistry
from tests.integration.clients import RawMessage, produce
from tests.integration.cluster_changes import limit_messages
from tests.integration.pipeline_processes import running_both, running_pipeline
from tests.integration.test_end_to_end import numbers
from tests.memory_bound import UNPACKED_BYTES, WORKER_BYTES, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import WorkerProcess

MESSAGES: Final = 120_000
"""More than is fetched of each partition: those in hand, a round, and two fetches."""
DISTINCT: Final = 6_000
RECORD_BYTES: Final = 870
BIG_EVENT_BYTES: Final = 8_000
PARTITIONS: Final = 16
LIMITS: Final = Limits()
IN_HAND, POLL, FETCH_BYTES = LIMITS.messages_in_hand, LIMITS.poll_records, LIMITS.fetch_bytes
LOOKS: Final = 30
LANES: Final = 4
AVRO_BYTES: Final = 690
AVRO_TO_JSON: Final = 3
MIXPANEL_BYTES: Final = 825
MIXPANEL_REQUEST_BYTES: Final = 2_000_000
MIXPANEL_IN_HAND: Final = 4_000
"""Two requests of the default 2,000 records: more than the default of `PIPELINE_MAX_MESSAGES_IN_HAND`."""
FOREIGN_HEADER: Final = ("traceparent", b"x" * 400)
GIVEN: Final = (
    (headers.FORMAT_VERSION, headers.RECORD_FORMAT),
    (headers.SOURCE_PARTITION, b"12"),
    (headers.SOURCE_OFFSET, b"1234567"),
    (headers.RULES_VERSION, b"0123456789ab"),
    FOREIGN_HEADER,
)


def bound(message_bytes: int) -> int:
    """Return the memory of a worker by docs/operate/capacity.md."""
    return WORKER_BYTES + UNPACKED_BYTES + PARTITIONS * LIMITS.of_partition(message_bytes)


def bound_of_mixpanel_sink(message_bytes: int) -> int:
    """Return the same with room for a second request of each partition, plus two requests of each lane."""
    limits = Limits(messages_in_hand=MIXPANEL_IN_HAND, bytes_in_hand=2 * MIXPANEL_REQUEST_BYTES + FETCH_BYTES)
    fixed = WORKER_BYTES + UNPACKED_BYTES + LANES * 2 * MIXPANEL_REQUEST_BYTES
    return fixed + PARTITIONS * limits.of_partition(message_bytes)


def bound_of_avro_sink(message_bytes: int) -> int:
    """Return the same plus the JSON of the lanes' next requests."""
    batch = min(POLL * message_bytes, FETCH_BYTES)
    return bound(message_bytes) + LANES * (1_000_000 + AVRO_TO_JSON * batch)


def bound_of_processor(message_bytes: int, record_bytes: int) -> int:
    """Return the same plus the records of one message batch of each partition."""
    return bound(message_bytes) + PARTITIONS * LIMITS.of_records(message_bytes, record_bytes)


def repeated(records: Sequence[tuple[bytes, bytes, Sequence[tuple[str, bytes]]]]) -> Iterator[RawMessage]:
    """Return messages of keys, values and headers in all partitions, until each is full."""
    for number, (key, value, ours) in zip(range(MESSAGES), cycle(records), strict=False):
        yield RawMessage(value=value, key=key, partition=number % PARTITIONS, headers=(*ours, FOREIGN_HEADER))


def avro_records() -> Iterator[RawMessage]:
    """Return records as a processor writes them as Avro, with one additional foreign header."""
    prefix = registry_prefix(1)
    records = [
        (
            key,
            prefix + encode_record(value),
            [(name, headers.AVRO_RECORD_FORMAT if name == headers.FORMAT_VERSION else given) for name, given in ours],
        )
        for key, value, ours in record_messages(events(DISTINCT))
    ]
    return repeated(records)


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """A registry without schemas, whose answers are not those of a registry."""
    registry = FakeRegistry()
    await registry.start()
    yield registry
    await registry.stop()


def mixpanel_records() -> Iterator[RawMessage]:
    """Return records as a processor writes them for Mixpanel, with one additional foreign header."""
    return repeated(list(record_messages(events(DISTINCT), records=MIXPANEL)))


def record(number: int) -> bytes:
    fields = {"type": "track", "messageId": f"m-{number}", "userId": f"u-{number % 5_000}", "event": "Push Clicked"}
    body = orjson.dumps({**fields, "timestamp": "2026-01-01T00:00:00.000Z", "properties": {"filler": ""}})
    return body[:-3] + b"x" * (RECORD_BYTES - len(body)) + body[-3:]


@pytest.mark.real_only("a topic that keeps more than 5 MiB of a partition")
async def test_a_sink_with_a_full_topic_and_no_destination_stays_under_the_stated_bound(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(
        broker, tmp_path, partitions=PARTITIONS, SEGMENT_ENDPOINT="http://127.0.0.1:9/v1/batch"
    ) as pipeline:
        await asyncio.to_thread(
            produce,
            broker.bootstrap_servers,
            pipeline.records_topic,
            (RawMessage(value=record(each), partition=each % PARTITIONS, headers=GIVEN) for each in range(MESSAGES)),
        )
        sink = await pipeline.start(Role.SEGMENT_SINK)
        most = await most_memory(sink, full=PARTITIONS * IN_HAND)
        assert most <= bound(RECORD_BYTES), f"{most / 1e6:.0f} MB of {bound(RECORD_BYTES) / 1e6:.0f}"


@pytest.mark.real_only("a topic that keeps more than 5 MiB of a partition")
async def test_a_mixpanel_sink_with_a_full_topic_and_no_destination_stays_under_the_stated_bound(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_both(
        broker, tmp_path, partitions=PARTITIONS, MIXPANEL_ENDPOINT="http://127.0.0.1:9/import"
    ) as pipeline:
        await asyncio.to_thread(
            produce,
            broker.bootstrap_servers,
            pipeline.mixpanel_records_topic,
            mixpanel_records(),
        )
        sink = await pipeline.start(Role.MIXPANEL_SINK)
        most = await most_memory(sink, full=PARTITIONS * MIXPANEL_IN_HAND, in_hand=MIXPANEL_IN_HAND)
        allowed = bound_of_mixpanel_sink(MIXPANEL_BYTES)
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"


@pytest.mark.real_only("a topic that keeps more than 5 MiB of a partition")
async def test_a_sink_that_reads_avro_stays_under_the_stated_bound_when_its_registry_comes_back_and_segment_does_not(
    broker: Broker, tmp_path: Path, registry: FakeRegistry
) -> None:
    async with running_pipeline(
        broker,
        tmp_path,
        partitions=PARTITIONS,
        SEGMENT_ENDPOINT="http://127.0.0.1:9/v1/batch",
        SCHEMA_REGISTRY_URL=registry.url,
    ) as pipeline:
        await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.records_topic, avro_records())
        sink = await pipeline.start(Role.SEGMENT_SINK)
        away = await most_memory(sink, full=PARTITIONS * IN_HAND)
        registry.answers["GET /schemas/ids/1"] = Answer(200, {"schema": SEGMENT_RECORD.text})
        await sends(sink)
        most = max(away, await most_memory(sink, full=PARTITIONS * IN_HAND))
        allowed = bound_of_avro_sink(AVRO_BYTES)
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"


@pytest.mark.real_only("a topic that refuses what is written to it")
@pytest.mark.parametrize(
    ("event_bytes", "count", "full"), [(EVENT_BYTES, MESSAGES, IN_HAND), (BIG_EVENT_BYTES, 30_000, 500)]
)
async def test_a_processor_whose_records_topic_refuses_stays_under_the_stated_bound(
    broker: Broker, tmp_path: Path, event_bytes: int, count: int, full: int
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        await processor.said("/readyz", "ready")
        await asyncio.to_thread(limit_messages, broker, pipeline.records_topic, 1)  # which nothing fits
        longer = b'"contents":"' + b"x" * (event_bytes - EVENT_BYTES)
        await asyncio.to_thread(
            produce,
            broker.bootstrap_servers,
            pipeline.raw_topic,
            (
                RawMessage(value=value.replace(b'"contents":"', longer), key=key, partition=each % PARTITIONS)
                for each, (key, value) in enumerate(events(count))
            ),
        )
        most = await most_memory(processor, full=PARTITIONS * full)
        allowed = bound_of_processor(event_bytes, event_bytes + 400)
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"


async def most_memory(worker: WorkerProcess, *, full: int, in_hand: int = IN_HAND) -> float:
    """Return a worker's highest resident memory until fetching has stopped, and some time longer."""
    process = psutil.Process(worker.process.pid)
    most = 0.0
    async with asyncio.timeout(60):
        while not await is_full(worker, full):
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.05)
    for _ in range(LOOKS):
        most = max(most, process.memory_info().rss)
        told = await numbers(worker)
        assert told["messages_in_hand"] <= PARTITIONS * (in_hand + POLL)
        await asyncio.sleep(0.05)
    return most


async def sends(worker: WorkerProcess) -> None:
    """Wait until a sink has sent a request."""
    async with asyncio.timeout(60):
        while True:
            if (await numbers(worker))["sink_attempts_total"]:
                return
            await asyncio.sleep(0.05)


async def is_full(worker: WorkerProcess, full: int) -> bool:
    """Return whether every partition has reached its limit, so that none is fetched."""
    status, _ = await worker.get("/readyz")
    return status != 0 and (await numbers(worker))["messages_in_hand"] >= full
