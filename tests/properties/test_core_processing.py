from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.events import Event, _decode_tolerantly, decode
from pipeline.core.filters import Rules
from pipeline.core.identity import AnonymousPolicy, identify
from pipeline.core.kinds import SPELLINGS
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules import KEEP
from tests.builders import SEGMENT, BodyShape, RawMessage, encode, raw_event
from tests.properties.core_strategies import decisions, events, messages, rule_lists, scalars, shapes

RECORD_SCHEMA: Final = Draft7Validator(
    json.loads((Path(__file__).parents[2] / "schemas" / "segment-record.schema.json").read_text(encoding="utf-8")),
)
LIMIT: Final = 32_768

policies = st.builds(
    Policy,
    rules=st.builds(Rules, rules=rule_lists.map(tuple), default=decisions, filename=st.just("rules.yaml")),
    unknown_kinds=st.sampled_from(UnknownKinds),
    anonymous_delivery=st.sampled_from(AnonymousPolicy),
    anonymous_engagement=st.sampled_from(AnonymousPolicy),
    records=st.builds(SegmentRecords, name_profile=st.sampled_from(NameProfile)),
)
DELIVER_ALL: Final = Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER)


def check(outcome: Outcome) -> None:
    """Check everything that is promised about an outcome."""
    if isinstance(outcome, Deliver):
        assert 0 < len(outcome.record) <= LIMIT
        assert b"\n" not in outcome.record
        record = json.loads(outcome.record)
        RECORD_SCHEMA.validate(record)
        assert outcome.user_key == (record.get("userId") or record["anonymousId"]).encode()
        assert orjson.loads(outcome.record) == record
    elif isinstance(outcome, Drop):
        assert isinstance(outcome.reason, DropReason)
        assert (outcome.kind is None) == (outcome.reason is DropReason.TOMBSTONE)
    else:
        assert isinstance(outcome, Reject)
        assert isinstance(outcome.reason, RejectReason)


@given(messages())
@example(RawMessage(value=b"[" * 100_000))
@example(RawMessage(value=b'{"a":' * 100_000))
@example(RawMessage(value=b'{"event":{"kind":"message.push.sent","id":' + b"9" * 5000 + b"}}"))
@example(RawMessage(value=b'{"event":{"kind":"message.push.sent","timestamp":1e308,"external_id":-0.0}}'))
@example(RawMessage(value=b'{"event":{"kind":"message.push.sent","external_id":"u","timestamp":1e999}}'))
@example(RawMessage(value=rb'{"event":{"kind":"\ud800","external_id":"\udfff\ud800"}}'))
@example(RawMessage(value=encode(raw_event(message={"contents": "\u2028" * 400_000}))))
@example(RawMessage(value=encode(raw_event(message={"contents": {"en": ["x"] * 100_000}, "url": "@" * 1_000_000}))))
def test_any_message_comes_to_one_outcome_without_an_exception(message: RawMessage) -> None:
    check(process(message, DELIVER_ALL, STATELESS))
    check(process(message, Policy(records=SEGMENT), STATELESS))


@given(st.lists(messages(), max_size=12), policies)
def test_it_adds_up_and_keeps_the_order(batch: list[RawMessage], policy: Policy) -> None:
    outcomes = [process(message, policy, STATELESS) for message in batch]
    for outcome in outcomes:
        check(outcome)
    delivered = [outcome for outcome in outcomes if isinstance(outcome, Deliver)]
    dropped = [outcome for outcome in outcomes if isinstance(outcome, Drop)]
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    assert len(batch) == len(delivered) + len(dropped) + len(rejected)
    alone = [process(message, policy, STATELESS) for message in reversed(batch)]
    assert alone[::-1] == outcomes


@given(messages(), policies)
def test_the_same_message_comes_to_the_same_bytes(message: RawMessage, policy: Policy) -> None:
    first = process(message, policy, STATELESS)
    again = Policy(
        records=copy(policy.records),
        rules=Rules(rules=policy.rules.rules, default=policy.rules.default, filename="copy.yaml"),
        unknown_kinds=policy.unknown_kinds,
        anonymous_delivery=policy.anonymous_delivery,
        anonymous_engagement=policy.anonymous_engagement,
    )
    assert again.version == policy.version
    assert process(message, again, STATELESS) == first


@given(events(), shapes)
def test_every_body_shape_of_an_event_with_an_id_comes_to_the_same_outcome(event: Any, shape: BodyShape) -> None:
    event["event"]["id"] = "e-1"
    nested = process(RawMessage(value=encode(event)), DELIVER_ALL, STATELESS)
    assert process(RawMessage(value=encode(event, shape)), DELIVER_ALL, STATELESS) == nested


@given(events(), shapes)
def test_however_a_body_is_decoded_its_record_is_the_same(event: Any, shape: BodyShape) -> None:
    body = encode(event, shape)
    decoded, slowly = decode(body), _decode_tolerantly(body)
    assert isinstance(decoded, Event)
    assert isinstance(slowly, Event)
    plan = DELIVER_ALL.plan_for(decoded.event.kind)
    assert slowly.event.kind == decoded.event.kind
    assert identify(slowly) == identify(decoded)
    assert plan.identified.ruling(slowly) == plan.identified.ruling(decoded)
    records = [plan.build_record(found, identify(found), "m", None, -1) for found in (decoded, slowly)]
    assert records[0] == records[1]


@given(events(), st.sampled_from(["id", "app_id", "onesignal_id", "subscription_device_type", "datetime"]), scalars)
def test_a_wrong_type_in_an_optional_field_rejects_no_event(event: Any, field: str, wrong: object) -> None:
    event["event"] |= {"external_id": "u-1", "kind": "message.push.sent", field: wrong}
    assert isinstance(process(RawMessage(value=encode(event)), Policy(records=SEGMENT), STATELESS), Deliver)


secrets = st.sampled_from(
    [
        "jo.bloggs@mail.example",
        "+4915112345678",
        "6f1a0cf2b7d94e0f6f1a0cf2b7d94e0f6f1a0cf2b7d94e0f6f1a0cf2b7d94e0f",
        "dGVzdA:APA91bF-uvwxyz0123456789_abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)


@given(events(), shapes, secrets, st.sampled_from(sorted(SPELLINGS)))
def test_no_token_address_or_number_of_a_subscription_leaves(
    event: Any,
    shape: BodyShape,
    secret: str,
    kind: str,
) -> None:
    event["event"] |= {
        "kind": kind,
        "external_id": "u-1",
        "subscription_token": secret,
        "data": {"failure_reason": f"550 <{secret}> is not known: {secret}"},
    }
    event["message"]["url"] = f"https://shop.example/?to={secret}#{secret}"
    event["user"] |= {"subscription": {"id": secret, "subscription_token": secret}, "email": secret}
    event["user"]["tags"]["contact"] = secret
    outcome = process(RawMessage(value=encode(event, shape)), Policy(records=SEGMENT), STATELESS)
    assert isinstance(outcome, Deliver)
    assert secret.encode() not in outcome.record
    assert secret.lstrip("+").encode() not in outcome.record


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(0, 60_000),
    st.sampled_from(["title", "contents"]),
)
def test_long_texts_are_cut_to_the_limit_and_no_further(text: str, times: int, field: str) -> None:
    content = {"title": "", "contents": "", field: text * (times // max(len(text), 1))}
    outcome = process(
        RawMessage(value=encode(raw_event(message=content))), Policy(records=SEGMENT, rules=keep_all()), STATELESS
    )
    assert isinstance(outcome, Deliver)
    check(outcome)
    found = json.loads(outcome.record)["properties"].get(f"message_{field}")
    if found is not None and found != content[field]:
        assert content[field].startswith(found.removesuffix("…"))
        assert found.endswith("…")


def keep_all() -> Rules:
    return Rules(rules=(), default=KEEP, filename="rules.yaml")
