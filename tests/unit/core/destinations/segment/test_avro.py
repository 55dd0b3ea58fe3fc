from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.destinations.segment import avro as records
from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from tests.avro_bodies import FRAME, read_by_fastavro, text_of, written
from tests.builders import SEGMENT, raw_event, raw_message

if TYPE_CHECKING:
    from tests.builders import Event

START: Final = len(FRAME)

decode_ours: Final = record_decoder(text_of(SEGMENT_RECORD.schema))


def record_of(event: Event) -> bytes:
    outcome = process(raw_message(event), Policy(records=SEGMENT), STATELESS)
    assert isinstance(outcome, Deliver)
    return outcome.record


@pytest.mark.parametrize(
    "event",
    [
        raw_event(),
        raw_event("message.iam.clicked", data={"page_name": "Intro", "target_id": "t1"}),
        raw_event("message.email.bounced", external_id="", app_id=" "),
        raw_event(message={"contents": 'two\nlines \u2028 \x00 \x7f "é" </script> \U0001f600', "title": "x" * 40_000}),
        {"event": {"kind": "message.push.sent", "external_id": "u"}},
    ],
    ids=["typical", "in-app", "anonymous", "odd characters and long", "least"],
)
def test_a_record_comes_back_byte_for_byte(event: Event) -> None:
    record = record_of(event)
    assert decode_ours(FRAME + encode_record(record), START) == record


def test_fastavro_reads_in_it_what_the_json_says() -> None:
    record = record_of(raw_event())
    found = read_by_fastavro(FRAME + encode_record(record), SEGMENT_RECORD.schema, SEGMENT_RECORD.schema)
    expected = orjson.loads(record)
    present = {name: value for name, value in found["properties"].items() if value is not None}
    assert present == expected["properties"]
    assert {name: found[name] for name in ("type", "event", "messageId", "userId", "context", "integrations")} == {
        name: expected[name] for name in ("type", "event", "messageId", "userId", "context", "integrations")
    }


def test_what_is_in_no_field_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="subscription_token"):
        encode_record(orjson.dumps({**orjson.loads(record_of(raw_event())), "subscription_token": "t"}))


def test_a_record_of_a_later_version_is_read_without_what_is_new() -> None:
    schema: Any = copy.deepcopy(SEGMENT_RECORD.schema)
    schema["fields"].insert(0, {"name": "priority", "type": ["null", "int"]})
    schema["fields"].reverse()
    record = record_of(raw_event())
    expected = read_by_fastavro(FRAME + encode_record(record), SEGMENT_RECORD.schema, SEGMENT_RECORD.schema)
    later = written({**expected, "priority": 5}, schema)
    assert record_decoder(text_of(schema))(later, START) == record


def test_bytes_that_do_not_fit_are_none() -> None:
    body = encode_record(record_of(raw_event()))
    assert [decode_ours(body[:length], 0) for length in range(len(body))] == [None] * len(body)
    assert decode_ours(body + b"\x00", 0) is None


@pytest.mark.parametrize("bad", ["string", {"type": "record", "name": "SegmentRecord", "fields": []}])
def test_a_schema_that_is_no_record_is_told(bad: Any) -> None:
    with pytest.raises(UnusableSchemaError):
        record_decoder(text_of(bad))


def test_a_required_field_has_no_default() -> None:
    with pytest.raises(TypeError, match="a required field is missing"):
        records._OneSignal()
