"""A foreign client: its messages reach Segment, and it can read the pipeline's messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from confluent_kafka import Producer

from pipeline.settings.choices import Role
from tests.fakes.stream import FakeStep
from tests.integration.clients import RawMessage, eventually, produce, read_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, WorkerProcess, running_pipeline
from tests.integration.stream_workers import running_worker, stage
from tests.integration.test_end_to_end import numbers
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

CODECS = ("gzip", "lz4", "snappy", "zstd")
REQUEST_SECONDS = 20
NOT_JSON = b"not JSON"


@pytest.mark.parametrize("codec", CODECS)
async def test_a_topic_that_another_client_has_compressed_is_read_whole(
    broker: Broker, tmp_path: Path, codec: str
) -> None:
    # The topic's own setting, if the broker supports it, ensures that nothing is stored uncompressed.
    where, step = stage(broker, compression_type=codec), FakeStep(settles_at_once=True)
    values = [b"%06d " % number + b"compressible " * 40 for number in range(2_000)]
    produce(broker.bootstrap_servers, where.topic, [RawMessage(value=each) for each in values], compression_type=codec)
    async with running_worker(where, tmp_path, step):
        await step.until(len(values))
        assert step.values() == values
        await eventually(lambda: where.committed() == {0: len(values)})


def transact(broker: Broker, topic: str, messages: list[RawMessage], *, codec: str, commit: bool) -> None:
    """Write compressed messages in one transaction, and commit or abort it."""
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "transactional.id": broker.unique("tx"),
            "partitioner": "murmur2_random",
            "compression.type": codec,
        }
    )
    producer.init_transactions(REQUEST_SECONDS)
    producer.begin_transaction()
    for message in messages:
        producer.produce(topic, value=message.value, key=message.key)
    producer.flush(REQUEST_SECONDS)
    (producer.commit_transaction if commit else producer.abort_transaction)(REQUEST_SECONDS)


def message_ids(messages: list[RawMessage]) -> list[str]:
    return [orjson.loads(message.value or b"")["event"]["id"] for message in messages]


async def has_no_lag(worker: WorkerProcess) -> None:
    async with asyncio.timeout(REQUEST_SECONDS):
        while True:
            if (await numbers(worker))["consumer_lag_messages"] == 0:
                return
            await asyncio.sleep(0.05)


@pytest.mark.real_only("transactions")
async def test_committed_events_of_every_codec_reach_segment_aborted_ones_do_not_and_no_lag_stays(
    broker: Broker, tmp_path: Path
) -> None:
    servers = broker.bootstrap_servers
    runs = [[click(100 * run + number, f"u-{number % 10}") for number in range(100)] for run in range(3 * len(CODECS))]
    async with running_pipeline(broker, tmp_path, RECORDS_COMPRESSION="zstd") as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        expected: list[str] = []
        for codec, (plain, committed, aborted) in zip(CODECS, zip(*[iter(runs)] * 3, strict=True), strict=True):
            await asyncio.to_thread(produce, servers, pipeline.raw_topic, plain, compression_type=codec)
            for run in (committed, aborted):
                commit = run is committed
                await asyncio.to_thread(transact, broker, pipeline.raw_topic, run, codec=codec, commit=commit)
            expected += message_ids(plain) + message_ids(committed)
        # The log ends with the markers of an aborted transaction: the committed offset is after them, without lag.
        await pipeline.settled()
        assert sorted(pipeline.segment.ledger.accepted) == expected
        for worker in workers:
            await has_no_lag(worker)
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()


async def test_another_client_reads_records_and_dead_letters_with_key_headers_and_murmur2s_partition(
    broker: Broker, tmp_path: Path
) -> None:
    servers = broker.bootstrap_servers
    events = [click(number, f"u-{number % 20}") for number in range(200)]
    bad = [RawMessage(value=NOT_JSON, key=b"bad-%d" % number) for number in range(8)]
    async with running_pipeline(broker, tmp_path) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        await asyncio.to_thread(produce, servers, pipeline.raw_topic, events + bad)
        sources = {(m.partition, m.offset): m for m in read_topic(servers, pipeline.raw_topic)}
        await eventually(
            lambda: (
                len(read_topic(servers, pipeline.records_topic)) == len(events)
                and len(read_topic(servers, pipeline.dead_letter_topic)) == len(bad)
            ),
            within_seconds=60,
        )
        records, letters = read_topic(servers, pipeline.records_topic), read_topic(servers, pipeline.dead_letter_topic)
        for stored in (*records, *letters):
            told = dict(stored.headers)
            source = sources.pop((int(told["source-partition"]), int(told["source-offset"])))
            # librdkafka's murmur2 has chosen the source's partition.
            assert (stored.key, stored.partition) == (source.key, source.partition)
            assert told["rules-version"]
        assert sources == {}
        for record in records:
            assert set(dict(record.headers)) == {"format-version", "source-partition", "source-offset", "rules-version"}
            assert dict(record.headers)["format-version"] == b"1"
            assert orjson.loads(record.value or b"")["userId"].encode() == record.key
        for letter in letters:
            told = dict(letter.headers)
            assert letter.value == NOT_JSON
            assert (told["reason"], told["stage"]) == (b"not_json", b"processor")
            assert (told["format-version"], told["destination"]) == (b"2", b"segment")
            assert told["source-topic"] == pipeline.raw_topic.encode()
        assert await processor.stop() == 0
