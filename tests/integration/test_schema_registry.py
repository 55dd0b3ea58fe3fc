from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage, produce, read_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, Pipeline, WorkerProcess, running_pipeline
from tests.registry_server import RegistryServer, RegistryUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.integration.brokers import Broker

pytestmark = pytest.mark.real_only("a schema registry needs Java, as Kafka does")

OURS = RAW_EVENT.text
THEIRS = json.dumps(
    {
        "type": "record",
        "name": "RawEvent",
        "namespace": "com.example.shop",
        "fields": [
            {"name": "received_by", "type": {"type": "array", "items": "string"}},
            {
                "name": "event",
                "type": {
                    "type": "record",
                    "name": "Event",
                    "fields": [
                        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                        {"name": "id", "type": "string"},
                        {"name": "external_id", "type": "string"},
                        {"name": "kind", "type": "string"},
                    ],
                },
            },
        ],
    }
)
"""A producer's own schema: another namespace, another order, one additional field, and without most of our fields."""
STRANGE = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "total", "type": "int"}]})


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    try:
        server = RegistryServer()
    except RegistryUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def client(registry: RegistryServer) -> Iterator[SchemaRegistryClient]:
    # By default the client waits for ever for a lost answer; with a timeout it retries.
    with SchemaRegistryClient({"url": registry.url, "timeout": 20}) as client:
        yield client


def event(number: int) -> dict[str, Any]:
    user = f"u-{number % 7}"
    return {
        "event": {
            "kind": "message.push.clicked",
            "id": f"{number:08d}-0000-4000-8000-000000000000",
            "timestamp": 1_767_225_600 + number,
            "external_id": user,
        },
        "message": {"id": "m-1", "name": "a name", "title": {"en": "hello"}},
        "user": {"tags": {"plan": "free"}},
    }


def their_event(number: int) -> dict[str, Any]:
    facts = event(number)["event"]
    return {"received_by": ["gateway"], "event": {**facts, "timestamp": facts["timestamp"] * 1000}}


def serialized(client: SchemaRegistryClient, topic: str, schema: str, values: Iterable[dict[str, Any]]) -> list[bytes]:
    """Write values with Confluent's own serializer, which registers the schema."""
    # Three unrelated schemas under one subject would violate its compatibility level.
    client.set_compatibility(f"{topic}-value", "NONE")
    serializer = AvroSerializer(client, schema)
    return [serializer(value, SerializationContext(topic, MessageField.VALUE)) for value in values]


def keyed(bodies: Iterable[bytes], first: int) -> list[RawMessage]:
    return [RawMessage(value=body, key=f"u-{number % 7}".encode()) for number, body in enumerate(bodies, first)]


async def command(pipeline: Pipeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pipeline", *arguments],
        env=pipeline.environment(http_port=1),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def formats(registry: RegistryServer) -> dict[str, Any]:
    return {"RAW_FORMAT": "auto", "RECORDS_FORMAT": "avro", "SCHEMA_REGISTRY_URL": registry.url}


async def holds(worker: WorkerProcess, word: str) -> None:
    async with asyncio.timeout(30):
        while True:
            status, text = await worker.get("/readyz")
            if status == 503 and word in text:
                return
            await asyncio.sleep(0.05)


async def test_avro_and_json_go_through_together_with_the_registry_restarted_in_the_middle(
    broker: Broker, registry: RegistryServer, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, **formats(registry)) as pipeline:
        servers = broker.bootstrap_servers
        assert (await command(pipeline, "schemas", "register")).returncode == 0
        raw = pipeline.raw_topic
        ours = serialized(client, raw, OURS, [event(number) for number in range(200)])
        theirs = serialized(client, raw, THEIRS, [their_event(number) for number in range(400, 600)])
        strange = serialized(client, raw, STRANGE, [{"total": 1}])
        bad = [
            ours[0][:40],
            b"\x00\x00\x00",
            b"\x00\x7f\xff\xff\xff" + ours[0][5:],
            b"\x01" + ours[0][1:],
            strange[0],
        ]
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        as_json = [json.dumps(event(number)).encode() for number in range(200, 400)]
        await asyncio.to_thread(produce, servers, pipeline.raw_topic, keyed([*ours, *as_json], 0))
        await pipeline.accepted(400)

        registry.stop()
        await asyncio.to_thread(produce, servers, pipeline.raw_topic, keyed(theirs, 400))
        await holds(workers[0], "schema registry")
        assert len(pipeline.segment.ledger.accepted) == 400
        registry.start()
        await asyncio.to_thread(registry.wait)
        await pipeline.accepted(600)
        await asyncio.to_thread(produce, servers, pipeline.raw_topic, keyed(bad, 0))
        await pipeline.settled()

        letters = read_topic(servers, pipeline.dead_letter_topic)
        reasons = sorted(dict(letter.headers)["reason"].decode() for letter in letters)
        assert reasons == ["not_avro", "not_avro", "not_utf8", "unknown_schema", "unusable_schema"]
        assert {letter.value for letter in letters} == set(bad)
        assert set(pipeline.segment.ledger.accepted) == {event(number)["event"]["id"] for number in range(600)}

        records = read_topic(servers, pipeline.records_topic)
        assert {dict(record.headers)["format-version"] for record in records} == {b"2"}
        deserialize = AvroDeserializer(client)
        read = deserialize(records[0].value, SerializationContext(pipeline.records_topic, MessageField.VALUE))
        assert read["event"] == "Push Clicked"
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()


async def test_a_sink_with_a_registry_takes_what_processors_of_both_formats_write(
    broker: Broker, registry: RegistryServer, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, SCHEMA_REGISTRY_URL=registry.url) as pipeline:
        sink = await pipeline.start(Role.SEGMENT_SINK)
        bodies = [json.dumps(event(number)).encode() for number in range(20)]
        for records_format, part in (("json", bodies[:10]), ("avro", bodies[10:])):
            pipeline.settings = {**pipeline.settings, "RECORDS_FORMAT": records_format}
            assert (await command(pipeline, "schemas", "register")).returncode == 0
            processor = await pipeline.start(Role.PROCESSOR)
            await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.raw_topic, keyed(part, 0))
            await pipeline.settled()
            assert await processor.stop() == 0
        assert len(pipeline.segment.ledger.accepted) == 20
        assert await sink.stop() == 0


async def test_records_as_avro_wait_for_a_sink_that_knows_a_registry(
    broker: Broker, registry: RegistryServer, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, **formats(registry)) as pipeline:
        assert (await command(pipeline, "schemas", "register")).returncode == 0
        await pipeline.start(Role.PROCESSOR)
        await asyncio.to_thread(
            produce, broker.bootstrap_servers, pipeline.raw_topic, keyed([json.dumps(event(1)).encode()], 0)
        )
        pipeline.settings = {}
        old = await pipeline.start(Role.SEGMENT_SINK)
        await holds(old, "PIPELINE_SCHEMA_REGISTRY_URL")
        assert await old.stop() == 0
        pipeline.settings = formats(registry)
        await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.accepted(1)


async def test_contracts_are_checked_and_registered_from_the_command_line(
    broker: Broker, registry: RegistryServer, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, **formats(registry)) as pipeline:
        subject = f"{pipeline.records_topic}-value"
        refused = await command(pipeline, "worker", "processor")
        assert refused.returncode == 1
        assert "run `onesignal-pipeline schemas register`" in refused.stderr
        told = await command(pipeline, "schemas", "check")
        assert (told.returncode, told.stdout.count("the registry would accept it")) == (0, 4)
        for name in ("raw-event", "segment-record", "mixpanel-record", "dead-letter"):
            assert f"`onesignal-pipeline schemas register {name}`" in told.stdout
        assert told.stderr == ""
        dry = await command(pipeline, "schemas", "register", "--dry-run")
        assert f"segment-record: {subject}: not registered" in dry.stdout
        done = await command(pipeline, "schemas", "register")
        assert f"segment-record: {subject}: registered now, id " in done.stdout
        again = await command(pipeline, "schemas", "register")
        assert f"segment-record: {subject}: registered, id " in again.stdout

        dead_letters = f"{pipeline.dead_letter_topic}-value"
        serialized(client, pipeline.dead_letter_topic, STRANGE, [{"total": 1}])
        client.set_compatibility(dead_letters, "BACKWARD")
        checked = await command(pipeline, "schemas", "check", "dead-letter")
        assert (checked.returncode, "would refuse it" in checked.stdout) == (1, True)
        refused = await command(pipeline, "schemas", "register", "dead-letter")
        assert (refused.returncode, "the registry rejects the schema" in refused.stderr) == (1, True)

        pipeline.settings = {}
        without = await command(pipeline, "schemas", "check")
        assert (without.returncode, "PIPELINE_SCHEMA_REGISTRY_URL is not set" in without.stderr) == (2, True)
        pipeline.settings = {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}
        away = await command(pipeline, "schemas", "check")
        assert (away.returncode, "does not answer" in away.stderr) == (1, True)


SHOP_EVENT = {
    "type": "record",
    "name": "Event",
    "namespace": "com.example.shop",
    "fields": [{"name": "kind", "type": "string"}],
}
UNION_WITH_A_NUMBER = json.dumps(
    {
        "type": "record",
        "name": "RawEvent",
        "fields": [
            {
                "name": "event",
                "type": {**SHOP_EVENT, "fields": [*SHOP_EVENT["fields"], {"name": "id", "type": ["string", "int"]}]},
            }
        ],
    }
)
OF_PARTS = json.dumps(
    {"type": "record", "name": "RawEvent", "fields": [{"name": "event", "type": "com.example.shop.Event"}]}
)
NOT_AVRO = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"})


async def checked(registry: RegistryServer, topic: str) -> subprocess.CompletedProcess[str]:
    """Run `schemas check` for a raw topic that exists in no Kafka."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pipeline", "schemas", "check", "raw-event"],
        env={
            "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "PIPELINE_RAW_TOPIC": topic,
            "PIPELINE_SCHEMA_REGISTRY_URL": registry.url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_every_registered_version_is_judged_by_avros_checker_and_by_the_decoder(
    registry: RegistryServer, client: SchemaRegistryClient
) -> None:
    topic = "versions.judged"
    subject = f"{topic}-value"
    said = f"raw-event: {subject}: "

    async def check() -> tuple[int, list[str], str]:
        run = await checked(registry, topic)
        _contract, *versions = run.stdout.splitlines()
        return run.returncode, versions, run.stderr

    assert await check() == (0, [f"{said}no version is registered"], "")
    client.set_compatibility(subject, "NONE")
    client.register_schema("versions.part", Schema(json.dumps(SHOP_EVENT), "AVRO"))
    refers = [SchemaReference("com.example.shop.Event", "versions.part", 1)]
    for schema in (Schema(OURS, "AVRO"), Schema(THEIRS, "AVRO"), Schema(OF_PARTS, "AVRO", refers)):
        client.register_schema(subject, schema)
    assert await check() == (0, [f"{said}the processor can read 3 of 3 versions"], "")

    client.register_schema(subject, Schema(STRANGE, "AVRO"))
    client.register_schema(subject, Schema(UNION_WITH_A_NUMBER, "AVRO"))
    code, told, errors = await check()
    assert (code, errors) == (1, "")
    strange, union, summary = told
    assert strange.startswith(f"{said}version 4 cannot be read. Decoder: the schema is named Order, but the record Raw")
    assert "Avro's checker: name mismatch" in strange
    assert union.startswith(f"{said}version 5: decoder and checker disagree. Decoder: it can be read. Avro's checker: ")
    assert "reader union lacking writer type: INT" in union
    assert summary == f"{said}the processor can read 3 of 5 versions"

    for number in (4, 5):
        client.delete_version(subject, number)
    code, told, errors = await check()
    assert (code, errors) == (0, "")
    for number, withdrawn in ((4, told[0]), (5, told[1])):
        assert withdrawn.startswith(f"{said}version {number} (soft-deleted, not counted)")
    assert told[2] == f"{said}the processor can read 3 of 3 versions; 2 soft-deleted, not counted"


async def test_a_subject_of_json_schema_is_said_to_be_unreadable(
    registry: RegistryServer, client: SchemaRegistryClient
) -> None:
    client.register_schema("versions.json-value", Schema(NOT_AVRO, "JSON"))
    run = await checked(registry, "versions.json")
    assert run.returncode == 1
    assert "versions.json-value: version 1 cannot be read: it is not an Avro schema\n" in run.stdout
