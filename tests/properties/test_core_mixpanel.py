from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from pipeline.core.destinations.mixpanel.avro import encode_record, record_decoder
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.identity import AnonymousId
from pipeline.core.destinations.mixpanel.limits import (
    DISALLOWED_IDS,
    EARLIEST_MS,
    LATEST_MS,
    MAX_RECORD_BYTES,
    is_insert_id,
)
from pipeline.core.destinations.mixpanel.message_ids import message_id_of
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.processing import STATELESS, process
from tests.builders import RawMessage, encode, raw_event
from tests.properties.core_strategies import events, messages

RECORD_SCHEMA: Final = Draft7Validator(
    json.loads((Path(__file__).parents[2] / "schemas" / "mixpanel-record.schema.json").read_text(encoding="utf-8")),
)
decode_avro: Final = record_decoder(MIXPANEL_RECORD.text)
characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=3).flatmap(lambda text: st.integers(0, 400).map(lambda times: text * times))
times = st.sampled_from([-1, 0, EARLIEST_MS - 1, EARLIEST_MS, 1_767_225_660_500, LATEST_MS, LATEST_MS + 1, 2**62])
records = st.builds(
    MixpanelRecords,
    custom_names=st.dictionaries(st.just("message.push.clicked"), texts.map("n{}".format)),
    mtu_reading=st.sampled_from(MtuReading),
    anonymous_id=st.sampled_from(AnonymousId),
    send_device_id=st.booleans(),
)


def check(message: RawMessage, builders: MixpanelRecords) -> None:
    """Check everything that is promised about a record."""
    policy = Policy(records=builders, unknown_kinds=UnknownKinds.DELIVER)
    outcome = process(message, policy, STATELESS)
    assert process(message, Policy(records=builders, unknown_kinds=UnknownKinds.DELIVER), STATELESS) == outcome
    if not isinstance(outcome, Deliver):
        return
    assert b"\n" not in outcome.record
    assert len(outcome.record) <= MAX_RECORD_BYTES
    record: Any = json.loads(outcome.record)
    RECORD_SCHEMA.validate(record)
    properties = record["properties"]
    assert all(len(each) <= 255 for each in (record["event"], *properties.values()) if isinstance(each, str))
    assert is_insert_id(properties["$insert_id"])
    assert properties["distinct_id"].lower() not in DISALLOWED_IDS
    assert EARLIEST_MS <= properties["time"] <= LATEST_MS
    if EARLIEST_MS <= message.timestamp <= LATEST_MS:
        assert properties["time"] <= message.timestamp
    if "$user_id" in properties:
        assert properties["distinct_id"] == properties["$user_id"]
        assert builders.send_device_id or "$device_id" not in properties
    assert decode_avro(encode_record(outcome.record), 0) == outcome.record


@given(messages(), records)
@example(RawMessage(value=encode(raw_event(message={"contents": "\u2028" * 400_000}))), MixpanelRecords())
def test_any_record_is_one_that_mixpanel_accepts(message: RawMessage, builders: MixpanelRecords) -> None:
    check(message, builders)


@given(
    events(),
    records,
    times,
    st.lists(texts, min_size=8, max_size=8),
    st.none() | st.integers(-(2**63), 2**63 - 1) | texts,
)
def test_texts_of_any_length_and_any_times_are_brought_within_the_limits(
    event: Any, builders: MixpanelRecords, stored: int, drawn: list[str], timestamp: object
) -> None:
    event["event"] |= {
        "id": drawn[0],
        "external_id": drawn[1],
        "timestamp": timestamp,
        "datetime": None,
        "subscription_device_type": drawn[2],
        "data": {"page_name": drawn[3], "page_id": drawn[4], "failure_reason": drawn[5]},
    }
    event["message"] |= {"id": drawn[6], "name": drawn[7], "title": {"en": drawn[3]}, "contents": drawn[5]}
    check(RawMessage(value=encode(event), timestamp=stored), builders)


@given(st.text(characters, max_size=300), st.text(characters, max_size=300))
def test_event_ids_that_differ_name_different_messages(one: str, other: str) -> None:
    ids = message_id_of(one, b"one"), message_id_of(other, b"other")
    assert all(map(is_insert_id, ids))
    assert (ids[0] == ids[1]) <= (one.strip() == other.strip())


@given(texts)
def test_a_cut_text_begins_like_the_whole_one(text: str) -> None:
    sent = raw_event(message={"name": f"n{text}".replace("\0", "")})
    outcome = process(RawMessage(value=encode(sent)), Policy(records=MixpanelRecords()), STATELESS)
    assert isinstance(outcome, Deliver)
    name = f"n{text}".replace("\0", "")
    assert json.loads(outcome.record)["properties"].get("Message Name", "") in {name[:255], ""}
