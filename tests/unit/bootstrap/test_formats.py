from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro
import orjson
import pytest

from pipeline.bootstrap import processor_formats as of_processors
from pipeline.bootstrap import sink_formats as of_sinks
from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.registry import subject
from pipeline.bootstrap.sink_formats import guarded
from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of, registry_prefix
from pipeline.core.destinations.segment.avro import encode_record
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.events import Event
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.conditions import Condition
from pipeline.kafka.schema_registry import RegistryFaultError
from pipeline.settings import SettingsError, load_settings
from pipeline.stream.prerequisites import PrerequisitesFirst
from tests.fakes.schema_registry import Answer, FakeRegistry, error
from tests.fakes.segment import record
from tests.fakes.stream import FakeStep
from tests.write_avro_schemas import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pipeline.settings.sections import Settings


def processor_formats(chosen: Settings) -> AbstractAsyncContextManager[of_processors.ProcessorFormats]:
    return of_processors.processor_formats(chosen, SEGMENT)


def sink_formats(chosen: Settings) -> AbstractAsyncContextManager[of_sinks.SinkFormats]:
    return of_sinks.sink_formats(chosen, SEGMENT.records)


def settings(**values: str) -> Settings:
    return load_settings({f"PIPELINE_{name}": value for name, value in values.items()})


def body(event: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(RAW_EVENT.schema), event)
    return out.getvalue()


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    fake = FakeRegistry()
    await fake.start()
    yield fake
    await fake.stop()


def test_the_text_of_a_contract_is_its_schema() -> None:
    assert [orjson.loads(contract.text) for contract in CONTRACTS.values()] == [
        contract.schema for contract in CONTRACTS.values()
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("topic", "segment.records-value"),
        ("record", "io.github.onesignal_pipeline.SegmentRecord"),
        ("topic-record", "segment.records-io.github.onesignal_pipeline.SegmentRecord"),
    ],
)
def test_subjects_are_named_by_the_strategy(names: str, expected: str) -> None:
    chosen = settings(SCHEMA_REGISTRY_SUBJECT_NAMES=names)
    assert subject(chosen, chosen.segment.records_topic, SEGMENT_RECORD) == expected


async def test_single_objects_need_only_the_file_of_their_schema(tmp_path: Path) -> None:
    path = tmp_path / "theirs.avsc"
    path.write_text(RAW_EVENT.text, encoding="utf-8")
    value = SINGLE_OBJECT_MARK + fingerprint_of(RAW_EVENT.text) + body({"event": {"kind": "message.push.sent"}})
    async with processor_formats(settings(RAW_FORMAT="avro", RAW_SCHEMA_FILE=str(path))) as found:
        event = found.formats.decode(value)
        assert isinstance(event, Event)
        assert event.event.kind == "message.push.sent"
        assert found.formats.decode(b"{}") is RejectReason.NOT_AVRO


@pytest.mark.parametrize("text", ["{", '{"type":"record","name":"Order","fields":[]}', '"string"'])
async def test_a_file_that_is_no_schema_of_events_is_a_mistake_in_the_settings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "theirs.avsc"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="PIPELINE_RAW_SCHEMA_FILE"):
        async with processor_formats(settings(RAW_FORMAT="avro", RAW_SCHEMA_FILE=str(path))):
            raise AssertionError


async def test_records_are_written_with_the_id_that_is_registered(fake: FakeRegistry) -> None:
    chosen = settings(RECORDS_FORMAT="avro", SCHEMA_REGISTRY_URL=fake.url)
    path = "POST /subjects/segment.records-value"
    fake.answers[path] = error(404, 40401)
    with pytest.raises(RegistryFaultError, match="schemas register"):
        async with processor_formats(chosen):
            raise AssertionError
    fake.answers[path] = Answer(
        200, {"subject": "segment.records-value", "id": 9, "version": 1, "schema": SEGMENT_RECORD.text}
    )
    async with processor_formats(chosen) as found:
        assert (found.schemas, found.formats.record_version) == (None, b"2")
        assert found.formats.encode_record is not None
        assert found.formats.encode_record(SAMPLE) == registry_prefix(9) + encode_record(SAMPLE)


SAMPLE = (
    b'{"type":"track","event":"Push Sent","messageId":"m","properties":{"event_kind":"message.push.sent",'
    b'"message_type":"push"},"context":{"integration":{"name":"onesignal","version":"1.0.0"},"onesignal":'
    b'{"channel":"push","action":"sent","category":"delivery","mtu":{}}},"integrations":{"All":true},"userId":"u"}'
)


async def test_a_sink_reads_records_by_the_schema_that_they_name(fake: FakeRegistry) -> None:
    fake.answers["GET /schemas/ids/9"] = Answer(200, {"schema": SEGMENT_RECORD.text})
    fake.answers["GET /schemas/ids/8"] = Answer(200, {"schema": '"string"'})
    async with sink_formats(settings(SCHEMA_REGISTRY_URL=fake.url)) as found:
        assert found.read_avro is not None
        assert found.schemas is not None
        for schema_id in (8, 9):
            await found.schemas.obtain(registry_prefix(schema_id))
        assert found.read_avro(registry_prefix(9) + encode_record(SAMPLE)) == SAMPLE
        assert found.read_avro(registry_prefix(9) + b"\x02") is DeliveryRejectReason.NOT_AVRO
        assert found.read_avro(registry_prefix(8) + b"\x02") is DeliveryRejectReason.UNUSABLE_SCHEMA
        assert found.read_avro(record("a")) is DeliveryRejectReason.NOT_AVRO


async def test_a_step_is_guarded_only_where_something_is_needed(fake: FakeRegistry) -> None:
    step = FakeStep()
    condition = Condition("a clock that is right", HoldReason.CLOCK, lambda: None)
    assert isinstance(guarded(step, None, [condition]), PrerequisitesFirst)
    async with sink_formats(settings()) as plain:
        assert guarded(step, plain.schemas) is step
    async with sink_formats(settings(SCHEMA_REGISTRY_URL=fake.url)) as found:
        assert isinstance(guarded(step, found.schemas), PrerequisitesFirst)
