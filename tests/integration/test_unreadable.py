"""Bytes in Kafka that no client library decodes, or that unpack to gigabytes: real workers on a real log."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import TYPE_CHECKING, Any, Final

import cramjam
import psutil
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.kafka import headers
from pipeline.kafka.fetched.unpacking import Codec
from pipeline.settings.choices import Role
from tests.fakes import batches
from tests.fakes.batches import record
from tests.integration.brokers import REMEMBERED
from tests.integration.clients import committed_offsets, eventually
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.raw_batches import write_batch
from tests.integration.test_kill import click
from tests.integration.test_memory import PARTITIONS, bound
from tests.integration.test_memory import record as segment_record
from tests.integration.test_what_if import environment, what_if

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline

EMAIL: Final = b"planted.person@private.example"
NAME: Final = b"\xff\xfe" + EMAIL
VERSION: Final = (headers.FORMAT_VERSION.encode(), headers.RECORD_FORMAT)
BOMB_BYTES: Final = 600_000_000
LARGE_BYTES: Final = 8_000_000
"""Less than `PIPELINE_MAX_UNPACKED_BATCH_BYTES`, more than a worker may have in hand."""
STALL_SECONDS: Final = 2


def batch(*records: bytes, **how: Any) -> bytes:
    """Return a batch with the present time: retention deletes older ones."""
    return batches.batch(*records, timestamp=int(time.time() * 1_000), **how)


def topic_of(role: Role, pipeline: Pipeline) -> str:
    return {Role.PROCESSOR: pipeline.raw_topic, Role.SEGMENT_SINK: pipeline.records_topic}[role]


def group_of(role: Role, pipeline: Pipeline) -> str:
    return {Role.PROCESSOR: pipeline.processor_group, Role.SEGMENT_SINK: pipeline.segment_sink_group}[role]


def given(role: Role, number: int) -> tuple[bytes, bytes]:
    """Return key and value of a message that a role can process."""
    if role is Role.SEGMENT_SINK:
        return b"u-1", segment_record(number)
    message = click(number, "u-1")
    return message.key or b"", message.value or b""


def good(role: Role, *numbers: int) -> bytes:
    return batch(*(record(at, *given(role, number), [VERSION]) for at, number in enumerate(numbers)))


async def read(pipeline: Pipeline, role: Role, messages: int) -> None:
    """Wait until a role has committed a number of messages."""
    servers, group, topic = pipeline.broker.bootstrap_servers, group_of(role, pipeline), topic_of(role, pipeline)
    try:
        await eventually(lambda: sum(committed_offsets(servers, group, topic).values()) >= messages, within_seconds=60)
    except AssertionError:
        found = committed_offsets(servers, group, topic)
        raise AssertionError(f"{messages} were expected, {found} are committed\n{pipeline.logs()}") from None


@pytest.mark.real_only("a broker that looks at no header")
async def test_a_header_name_that_is_not_utf8_stops_no_role_and_no_tool_and_is_in_no_log(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest", LOG_LEVEL="debug") as pipeline:
        for role in SEGMENT_ROLES:
            for at in range(0, 6, 3):
                records = [record(each, *given(role, 10 + at + each), [VERSION, (NAME, b"x")]) for each in range(2)]
                data = batch(*records, record(2, *given(role, 12 + at), [VERSION]), codec=at)
                await write_batch(broker.bootstrap_servers, topic_of(role, pipeline), at % 2, data)
        for role in SEGMENT_ROLES:
            await pipeline.start(role)
        await pipeline.settled()
        assert len(pipeline.segment.ledger.accepted) == 12
        printed = await what_if(environment(broker, pipeline.raw_topic), "keep-all")
        assert printed.returncode == 0, printed.stderr
        told = "".join(worker.log.read_text() for worker in pipeline.workers) + printed.stdout + printed.stderr
        assert EMAIL.decode() not in told
        assert "Traceback" not in told
        assert [await worker.stop() for worker in pipeline.workers] == [0, 0]


@pytest.mark.real_only("the files of a broker")
@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_a_damaged_batch_holds_its_partition_alone_until_it_is_repaired(
    role: Role, broker: Broker, tmp_path: Path
) -> None:
    if broker.server is None:
        pytest.skip("another program's Kafka")
    async with running_pipeline(
        broker,
        tmp_path,
        GROUP_START="earliest",
        STALL_TIMEOUT_SECONDS=str(STALL_SECONDS),
        SEGMENT_REQUEST_TIMEOUT_SECONDS="1",
    ) as pipeline:
        topic = topic_of(role, pipeline)
        for numbers in ((0, 1), (2, 3), (4,)):
            await write_batch(broker.bootstrap_servers, topic, 0, good(role, *numbers))
        await write_batch(broker.bootstrap_servers, topic, 1, good(role, 5))
        segment = broker.server.segment_file(topic, 0)
        at = middle(segment, given(role, 3)[1])
        damage(segment, at)

        worker = await pipeline.start(role)
        assert await worker.said("/readyz", f"{topic}[0] cannot be read from offset 2 on: its checksum") == 503
        await read(pipeline, role, 3)
        await asyncio.sleep(2 * STALL_SECONDS)
        await write_batch(broker.bootstrap_servers, topic, 1, good(role, 6))
        await read(pipeline, role, 4)
        assert (await worker.get("/healthz"))[0] == 200
        _, metrics = await worker.get("/metrics")
        assert 'onesignal_pipeline_holding{reason="unreadable"} 1.0' in metrics

        damage(segment, at)
        await read(pipeline, role, 7)
        await worker.said("/readyz", '"ok": true')
        log = worker.log.read_text()
        assert log.count("partition unreadable, holding") == 1
        assert "Traceback" not in log
        assert await worker.stop() == 0


def middle(segment: Path, value: bytes) -> int:
    """Return the position of the middle of a stored value."""
    return segment.read_bytes().index(value) + len(value) // 2


def damage(segment: Path, at: int) -> None:
    """Flip one stored bit; a second call repairs it."""
    with segment.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.real_only("the files of a broker")
async def test_a_log_that_its_broker_cannot_read_holds_a_worker_that_begins_there_and_no_other_partition(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.server is None:
        pytest.skip("another program's Kafka")
    role = Role.PROCESSOR
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest") as pipeline:
        topic = pipeline.raw_topic
        for numbers in ((0, 1), (2, 3), (4,)):
            await write_batch(broker.bootstrap_servers, topic, 0, good(role, *numbers))
        segment = broker.server.segment_file(topic, 0)
        length_at = LENGTH_AT + int.from_bytes(segment.read_bytes()[LENGTH_AT:][:4], "big") + LENGTH_AT + 4
        whole = overwrite(segment, length_at, bytes(4))
        first = await pipeline.start(role)
        await first.said("/readyz", f"{topic}[0] cannot be read from offset 2 on")
        await read(pipeline, role, 2)
        assert await first.stop() == 0

        worker = await pipeline.start(role)
        told = f"{topic}[0] cannot be read from offset 2 on: the broker reports that it cannot read it"
        assert await worker.said("/readyz", told) == 503
        await write_batch(broker.bootstrap_servers, topic, 1, good(role, 5))
        await read(pipeline, role, 3)
        overwrite(segment, length_at, whole)
        await read(pipeline, role, 6)
        assert await worker.stop() == 0


LENGTH_AT: Final = 8
"""The position of a batch's length, without which a broker does not find the next batch."""


def overwrite(segment: Path, at: int, content: bytes) -> bytes:
    """Overwrite stored bytes; return the previous ones."""
    with segment.open("r+b") as file:
        file.seek(at)
        before = file.read(len(content))
        file.seek(at)
        file.write(content)
    return before


@pytest.mark.real_only("the files of a broker")
async def test_what_an_operator_is_told_to_do_passes_over_the_batch_and_nothing_else(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.server is None:
        pytest.skip("another program's Kafka")
    role = Role.PROCESSOR
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest") as pipeline:
        for numbers in ((0, 1), (2, 3, 4), (5,)):
            await write_batch(broker.bootstrap_servers, pipeline.raw_topic, 0, good(role, *numbers))
        segment = broker.server.segment_file(pipeline.raw_topic, 0)
        damage(segment, middle(segment, given(role, 3)[1]))
        for each in SEGMENT_ROLES:
            await pipeline.start(each)
        processor, sink = pipeline.workers
        command = f"--to-offset 5 --group {pipeline.processor_group} --topic {pipeline.raw_topic}:0 --execute"
        await processor.said("/readyz", command)
        await pipeline.accepted(2)
        assert await processor.stop() == 0

        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        to = ConsumerGroupTopicPartitions(pipeline.processor_group, [TopicPartition(pipeline.raw_topic, 0, 5)])
        for altered in admin.alter_consumer_group_offsets([to]).values():
            altered.result(20)
        await pipeline.start(role)
        await pipeline.accepted(3)
        assert [int(each[:8]) for each in pipeline.segment.ledger.accepted] == [0, 1, 5]
        assert await sink.stop() == 0


@pytest.mark.real_only("a broker that looks at no offset of a record")
@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_an_offset_that_a_record_claims_is_never_committed(role: Role, broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest") as pipeline:
        topic, group = topic_of(role, pipeline), group_of(role, pipeline)
        claims = [record(at, *given(role, number), [VERSION]) for number, at in enumerate((0, 1_000_000, 2))]
        await write_batch(broker.bootstrap_servers, topic, 0, batch(*claims))
        await write_batch(broker.bootstrap_servers, topic, 1, good(role, 5))
        worker = await pipeline.start(role)
        told = f"{topic}[0] cannot be read from offset 1 on: a record in it has an offset beyond its end"
        assert await worker.said("/readyz", told) == 503
        await read(pipeline, role, 2)
        assert await worker.stop() == 0
        assert committed_offsets(broker.bootstrap_servers, group, topic) == {0: 1, 1: 1, 2: 0, 3: 0}


def bombs() -> dict[Codec, bytes]:
    """Return one record of 600 MB of zeros for each codec, compressed as far as possible."""
    head = record(0, b"u-1", bytes(BOMB_BYTES))
    zstd = cramjam.zstd.Compressor()
    zstd.compress(head)
    return {
        Codec.ZSTD: bytes(zstd.finish()),
        Codec.GZIP: gzip.compress(head, 9),
    }


@pytest.mark.real_only("a broker that unpacks what it is given")
@pytest.mark.parametrize("role", SEGMENT_ROLES)
async def test_batches_that_unpack_to_gigabytes_hold_their_partitions_in_bounded_memory(
    role: Role, broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, GROUP_START="earliest", partitions=PARTITIONS) as pipeline:
        topic = topic_of(role, pipeline)
        for partition, (codec, packed) in enumerate(bombs().items()):
            await write_batch(broker.bootstrap_servers, topic, partition, good(role, partition))
            bomb = batch(codec=codec, packed=packed, count=1, last=0)
            await write_batch(broker.bootstrap_servers, topic, partition, bomb)
        await write_batch(broker.bootstrap_servers, topic, 5, good(role, 5, 6))

        worker = await pipeline.start(role)
        watched = asyncio.create_task(most_memory(worker.process.pid))
        for partition in range(2):
            assert await worker.said("/readyz", f"{topic}[{partition}] cannot be read from offset 1 on") == 503
        await worker.said("/readyz", "raise PIPELINE_MAX_UNPACKED_BATCH_BYTES")
        await read(pipeline, role, 4)
        assert (await worker.get("/healthz"))[0] == 200
        assert await worker.stop() == 0
        most = await watched
        allowed = bound(2_000)
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"
        if role is Role.PROCESSOR:
            printed = await what_if(environment(broker, pipeline.raw_topic), "keep-all")
            assert (printed.returncode, "Traceback" in printed.stderr) == (1, False)
            assert "raise PIPELINE_MAX_UNPACKED_BATCH_BYTES" in printed.stderr


@pytest.mark.real_only("a broker that unpacks what it is given")
async def test_many_batches_that_are_allowed_one_by_one_are_looked_at_in_bounded_memory(
    broker: Broker, tmp_path: Path
) -> None:
    """The state of users requires the latest messages of a partition, and a feed that others write."""
    topics = {name: broker.create_topic(name, PARTITIONS, **REMEMBERED) for name in ("tracked-users", "feed")}
    async with running_pipeline(
        broker,
        tmp_path,
        partitions=PARTITIONS,
        GROUP_START="earliest",
        RULES_PRESET="tracked-only",
        TRACKED_USERS_SECRET="a secret that is long enough",
        TRACKED_USERS_TOPIC=topics["tracked-users"],
        TRACKED_USERS_FEED_TOPIC=topics["feed"],
    ) as pipeline:
        packed = cramjam.zstd.compress(record(0, b"u-1", bytes(LARGE_BYTES)))
        large = batch(codec=Codec.ZSTD, packed=bytes(packed), count=1, last=0)
        for topic in (pipeline.raw_topic, topics["feed"]):
            for _ in range(60):
                await write_batch(broker.bootstrap_servers, topic, 0, large)

        processor = await pipeline.start(Role.PROCESSOR)
        watched = asyncio.create_task(most_memory(processor.process.pid))
        assert await processor.said("/readyz", f"{pipeline.raw_topic}[0] cannot be read from offset 0 on") == 503
        assert (await processor.get("/healthz"))[0] == 200
        assert await processor.stop() == 0
        most = await watched
        allowed = bound(2_000)
        assert most <= allowed, f"{most / 1e6:.0f} MB of {allowed / 1e6:.0f}"


async def most_memory(process_id: int) -> float:
    """Return a process's highest memory until it ends."""
    process, most = psutil.Process(process_id), 0.0
    while True:
        try:
            most = max(most, process.memory_info().rss)
        except psutil.NoSuchProcess:
            return most
        await asyncio.sleep(0.02)


@pytest.mark.real_only("a broker that unpacks what it is given")
async def test_what_is_remembered_and_what_is_sampled_may_be_unreadable_and_holds_what_needs_it(
    broker: Broker, tmp_path: Path
) -> None:
    remembered = broker.create_topic("tracked-users", 4, **REMEMBERED)
    async with running_pipeline(
        broker,
        tmp_path,
        GROUP_START="earliest",
        RULES_PRESET="tracked-only",
        TRACKED_USERS_SECRET="a secret that is long enough",
        TRACKED_USERS_TOPIC=remembered,
    ) as pipeline:
        bomb = batch(codec=Codec.ZSTD, packed=bombs()[Codec.ZSTD], count=1, last=0)
        await write_batch(broker.bootstrap_servers, remembered, 1, bomb)
        for partition in range(3):
            await write_batch(broker.bootstrap_servers, pipeline.raw_topic, partition, good(Role.PROCESSOR, partition))
        await write_batch(broker.bootstrap_servers, pipeline.raw_topic, 2, bomb)

        processor = await pipeline.start(Role.PROCESSOR)
        told = f"{remembered}[1] cannot be read from offset 0 on"
        assert await processor.said("/readyz", told) == 503
        await read(pipeline, Role.PROCESSOR, 2)
        assert await processor.said("/readyz", f"{pipeline.raw_topic}[2] cannot be read from offset 1 on") == 503
        log = processor.log.read_text()
        assert "the keys of a partition are not checked" in log
        assert "Traceback" not in log
        assert await processor.stop() == 0
