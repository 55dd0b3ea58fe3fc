from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.ids import EmptyReason, IdField, IgnoredId
from pipeline.core.kinds import KINDS, Kind, kind_of
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, BodyShape, RawMessage, raw_event, raw_message

CLICKED, SENT = KINDS["message.push.clicked"], KINDS["message.push.sent"]


def outcome(policy: Policy | None = None, kind: str = "message.push.clicked", **parts: Any) -> Outcome:
    return process(raw_message(raw_event(kind, **parts)), policy or Policy(records=SEGMENT), STATELESS)


def delivered(found: Outcome) -> dict[str, Any]:
    assert isinstance(found, Deliver)
    record: dict[str, Any] = json.loads(found.record)
    return record


def rules(text: str) -> Policy:
    return Policy(records=SEGMENT, rules=parse_rules(text, filename="rules.yaml"))


def dropped_anonymously(kind: Kind) -> Drop:
    return Drop(kind, DropReason.ANONYMOUS, user_key=b"c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69")


def test_a_good_event_is_delivered() -> None:
    found = outcome()
    assert isinstance(found, Deliver)
    assert (found.kind, found.user_key, found.rule, found.change) == (CLICKED, b"u-1001", None, None)


@pytest.mark.parametrize("shape", BodyShape)
def test_the_record_is_the_same_for_every_body_shape(shape: BodyShape) -> None:
    raw = raw_event("message.iam.clicked", data={"page_name": "Welcome", "target_name": "Buy"})
    nested = process(raw_message(raw), Policy(records=SEGMENT), STATELESS)
    assert process(raw_message(raw, shape), Policy(records=SEGMENT), STATELESS) == nested


def test_a_tombstone_is_dropped_for_a_reason_of_its_own() -> None:
    assert process(RawMessage(value=None), Policy(records=SEGMENT), STATELESS) == Drop(None, DropReason.TOMBSTONE)


def test_what_is_no_event_is_rejected() -> None:
    assert process(RawMessage(value=b"{"), Policy(records=SEGMENT), STATELESS) == Reject(None, RejectReason.NOT_JSON)
    assert process(RawMessage(value=b""), Policy(records=SEGMENT), STATELESS) == Reject(None, RejectReason.NOT_JSON)


def test_a_blank_kind_is_no_event() -> None:
    for shape in BodyShape:
        message = raw_message(raw_event("  "), shape)
        found = process(message, Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER), STATELESS)
        assert isinstance(found, Reject)
        assert found.reason is RejectReason.NOT_AN_EVENT


def test_an_unknown_kind_is_rejected_by_default() -> None:
    assert outcome(kind="message.sms.opted_out") == Reject(kind_of("message.sms.opted_out"), RejectReason.UNKNOWN_KIND)


def test_an_unknown_kind_is_delivered_under_a_derived_name_if_so_set() -> None:
    record = delivered(outcome(Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER), "message.sms.opted_out"))
    assert record["event"] == "SMS Opted Out"
    assert record["properties"]["event_kind"] == "message.sms.opted_out"
    assert record["context"]["onesignal"]["mtu"] == {"segment": "counted", "mixpanel": "counted"}


def test_names_follow_the_profile() -> None:
    assert (
        delivered(outcome(Policy(records=SegmentRecords(name_profile=NameProfile.SEGMENT_SPEC))))["event"]
        == "Push Notification Tapped"
    )
    custom_names = {"message.push.clicked": "Tap"}
    custom = Policy(records=SegmentRecords(name_profile=NameProfile.CUSTOM, custom_names=custom_names))
    assert delivered(outcome(custom))["event"] == "Tap"


@pytest.mark.parametrize(
    ("kind", "policy", "expected"),
    [
        (
            CLICKED,
            Policy(records=SEGMENT, anonymous_engagement=AnonymousPolicy.DROP),
            dropped_anonymously(CLICKED),
        ),
        (
            CLICKED,
            Policy(records=SEGMENT, anonymous_engagement=AnonymousPolicy.REJECT),
            Reject(CLICKED, RejectReason.ANONYMOUS),
        ),
        (
            SENT,
            Policy(records=SEGMENT, anonymous_delivery=AnonymousPolicy.DROP),
            dropped_anonymously(SENT),
        ),
        (
            SENT,
            Policy(records=SEGMENT, anonymous_delivery=AnonymousPolicy.REJECT),
            Reject(SENT, RejectReason.ANONYMOUS),
        ),
    ],
    ids=str,
)
def test_anonymous_events_follow_the_policy_of_their_category(kind: Any, policy: Policy, expected: Outcome) -> None:
    assert outcome(policy, kind.name, external_id="") == expected
    assert isinstance(outcome(policy, kind.name), Deliver)
    other = SENT if kind is CLICKED else CLICKED
    assert isinstance(outcome(policy, other.name, external_id=""), Deliver)


def test_anonymous_events_are_delivered_by_default() -> None:
    found = outcome(external_id="null")
    assert delivered(found)["anonymousId"] == "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"
    assert isinstance(found, Deliver)
    assert found.user_key == b"c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"


@pytest.mark.parametrize("policy", AnonymousPolicy)
def test_an_event_about_nobody_is_rejected(policy: AnonymousPolicy) -> None:
    found = outcome(Policy(records=SEGMENT, anonymous_engagement=policy), external_id="", subscription_id="0")
    ignored = IgnoredId("event.subscription_id", IdField.SUBSCRIPTION_ID, "0", EmptyReason.WORD)
    assert found == Reject(CLICKED, RejectReason.NO_USER, (ignored,))


def test_an_event_about_nobody_that_a_rule_drops_is_dropped() -> None:
    found = outcome(
        Policy(records=SEGMENT, rules=preset_rules(Preset.ENGAGEMENT_ONLY)),
        SENT.name,
        external_id="",
        subscription_id="",
    )
    assert found == Drop(SENT, DropReason.RULE, 0)  # it has no user key


def test_a_rule_drops_and_the_outcome_tells_which() -> None:
    policy = rules("rules:\n  - when: {channel: sms}\n    then: drop\n  - when: {language: EN}\n    then: drop\n")
    assert outcome(policy) == Drop(CLICKED, DropReason.RULE, 1, b"u-1001")


def test_a_rule_keeps_and_the_outcome_tells_which() -> None:
    policy = rules("rules:\n  - when: {language: en}\n    then: keep\ndefault: drop\n")
    found = outcome(policy)
    assert isinstance(found, Deliver)
    assert found.rule == 0
    assert outcome(policy, user={"language": "de"}) == Drop(CLICKED, DropReason.RULE, None, b"u-1001")


def test_a_sample_keeps_some_users_with_all_their_events() -> None:
    policy = rules("rules:\n  - then: {sample: {percent: 30}}\n")
    kept = {
        user: {isinstance(outcome(policy, external_id=f"u-{user}", id=f"e-{event}"), Deliver) for event in range(3)}
        for user in range(60)
    }
    assert all(len(answers) == 1 for answers in kept.values())
    assert 8 < sum(answers == {True} for answers in kept.values()) < 28
    dropped = next(user for user, answers in kept.items() if answers == {False})
    assert outcome(policy, external_id=f"u-{dropped}") == Drop(
        CLICKED, DropReason.SAMPLED_OUT, 0, f"u-{dropped}".encode()
    )


def test_a_sample_of_events_keeps_some_events_of_a_user() -> None:
    policy = rules("rules:\n  - then: {sample: {percent: 50, by: event}}\n")
    kept = [isinstance(outcome(policy, id=f"e-{event}"), Deliver) for event in range(60)]
    assert 15 < sum(kept) < 45


def test_a_sampled_event_about_nobody_is_rejected_if_it_stays() -> None:
    policy = rules("rules:\n  - then: {sample: {percent: 100}}\n")
    assert outcome(policy, external_id="", subscription_id="") == Reject(CLICKED, RejectReason.NO_USER)


def test_kafkas_time_stands_in_for_a_missing_one() -> None:
    record = delivered(outcome(timestamp=None, datetime=""))
    assert record["timestamp"] == "2026-01-01T00:01:00.500Z"


def test_without_an_event_id_the_content_names_the_message() -> None:
    first, again, other = (delivered(outcome(id="", app_id=app)) for app in ("a", "a", "b"))
    assert first["messageId"] == again["messageId"] != other["messageId"]
    assert first["messageId"] != first["properties"]["messageId"]
