from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import orjson
import pytest

from pipeline.core.destinations.mixpanel.avro import encode_record, record_decoder
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from tests.avro_bodies import FRAME, read_by_fastavro
from tests.builders import raw_event, raw_message

if TYPE_CHECKING:
    from tests.builders import Event

START: Final = len(FRAME)

decode_ours: Final = record_decoder(MIXPANEL_RECORD.text)


def record_of(event: Event) -> bytes:
    outcome = process(raw_message(event), Policy(records=MixpanelRecords()), STATELESS)
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
    found = read_by_fastavro(FRAME + encode_record(record), MIXPANEL_RECORD.schema, MIXPANEL_RECORD.schema)
    expected = orjson.loads(record)
    present = [value for value in found["properties"].values() if value is not None]
    assert found["event"] == expected["event"]
    assert present == list(expected["properties"].values())


def test_what_is_in_no_field_cannot_be_written() -> None:
    record = orjson.loads(record_of(raw_event()))
    for path in (record, record["properties"]):
        path["subscription_token"] = "t"
        with pytest.raises(msgspec.ValidationError, match="subscription_token"):
            encode_record(orjson.dumps(record))
        del path["subscription_token"]


def test_bytes_that_do_not_fit_are_none() -> None:
    body = encode_record(record_of(raw_event()))
    assert [decode_ours(body[:length], 0) for length in range(len(body))] == [None] * len(body)
    assert decode_ours(body + b"\x00", 0) is None
