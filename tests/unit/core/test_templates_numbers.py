"""Numbers beyond 64 bits, and external ids that cannot be read."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipeline.core.identity import AnonymousPolicy
from pipeline.core.ids import EmptyReason, IdField
from pipeline.core.outcomes import Drop, DropReason, Reject, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from tests.body_forms import JSON_FORMS, LITERAL, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event

SUBSCRIPTION: Final = "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"
LONG: Final = {
    "21 digits": "123456789012345678901",
    "2 to the 64": str(2**64),
    "2 to the 64 and one": str(2**64 + 1),
    "22 digits": "9999999999999999999999",
    "100 digits": "1234567890" * 10,
    "negative": "-123456789012345678901",
    "below 64 bits": str(-(2**63) - 1),
}
UNREADABLE: Final = {
    "a fraction": "12345.5",
    "a small fraction": "0.5",
    "no digits left": "1.1e20",
    "an exponent": "1e19",
    "2 to the 53 as a float": "9007199254740992.0",
    "beyond 2 to the 53": "12345678901234567890.0",
    "101 digits": "1" * 101,
    "400 digits": "7" * 400,
    "400 digits as a float": "7" * 400 + ".0",
    "400 digits and an exponent": "7" * 400 + "e1",
    "beyond floats": "1E400",
    "far below floats": "-1.5e+999",
    "a list": '["u-1"]',
    "a list of nothing": "[null]",
    "an object": '{"id":"u-1"}',
}
json_forms = pytest.mark.parametrize("form", JSON_FORMS)
long = pytest.mark.parametrize("digits", LONG.values(), ids=LONG)
unreadable = pytest.mark.parametrize("literal", UNREADABLE.values(), ids=UNREADABLE)


@json_forms
@long
def test_a_long_external_id_keeps_its_digits(digits: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=LITERAL), form, literal=digits), form)
    assert (record_of(found)["userId"], found.ignored) == (digits, ())
    of_user = raw_event(external_id="", user={"external_id": LITERAL})
    assert record_of(outcome_of(encoded(of_user, form, literal=digits), form))["userId"] == digits


@json_forms
@long
def test_every_other_id_keeps_its_digits(digits: str, form: BodyForm) -> None:
    event = raw_event(
        external_id=None,
        id=LITERAL,
        app_id=LITERAL,
        subscription_id=LITERAL,
        onesignal_id=LITERAL,
        message={"id": LITERAL, "template_id": LITERAL},
    )
    record = record_of(outcome_of(encoded(event, form, literal=digits), form))
    assert [record["anonymousId"], record["messageId"], record["context"]["onesignal"]["app_id"]] == [digits] * 3
    names = ("messageId", "campaign_id", "template_id", "subscription_id", "onesignal_id")
    assert [record["properties"][name] for name in names] == [digits] * len(names)


@json_forms
@long
def test_texts_keep_their_digits(digits: str, form: BodyForm) -> None:
    event = raw_event(
        message={"name": LITERAL, "title": LITERAL, "contents": LITERAL},
        data={"page_id": LITERAL, "target_name": LITERAL},
    )
    found = properties_of(outcome_of(encoded(event, form, literal=digits), form))
    names = ("message_name", "message_title", "message_contents", "page_id", "target_name")
    assert [found[name] for name in names] == [digits] * len(names)


def tag_rules(digits: str) -> Policy:
    return Policy(
        records=SEGMENT,
        rules=parse_rules(f"rules: [{{when: {{tag: {{n: '{digits}'}}}}, then: drop}}]", filename="rules.yaml"),
    )


@json_forms
@long
def test_tags_keep_their_digits(digits: str, form: BodyForm) -> None:
    other_last_digit = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    for tags in ({"n": LITERAL}, {"n": LITERAL, "plan": "free", "list": [1]}):
        value = encoded(raw_event(user={"tags": tags}), form, literal=digits)
        assert isinstance(outcome_of(value, form, tag_rules(digits)), Drop)
        assert not isinstance(outcome_of(value, form, tag_rules(other_last_digit)), Drop)


@long
def test_a_tag_with_a_key_of_its_own_keeps_its_digits(digits: str) -> None:
    body = f'{{"event.kind":"message.push.sent","external_id":"u","user.tags.n":{digits}}}'.encode()
    assert isinstance(outcome_of(body, BodyForm.DOTTED, tag_rules(digits)), Drop)


@json_forms
def test_digits_inside_a_string_are_never_touched(form: BodyForm) -> None:
    text = r'a "12345678901234567890123" \ :12345678901234567890123,\" {"n": 12345678901234567890123}'
    event = raw_event(external_id=LITERAL, message={"name": text, "contents": text + "\\"})
    found = outcome_of(encoded(event, form, literal="123456789012345678901"), form)
    assert record_of(found)["userId"] == "123456789012345678901"
    assert [properties_of(found)[name] for name in ("message_name", "message_contents")] == [text, text + "\\"]


@json_forms
@pytest.mark.parametrize(
    ("literal", "user_id"),
    [
        ("12345.0", "12345"),
        ("1e3", "1000"),
        ("-7", "-7"),
        ("9007199254740991.0", "9007199254740991"),
        (str(2**63), str(2**63)),
        (str(2**64 - 1), str(2**64 - 1)),
        (str(-(2**63)), str(-(2**63))),
    ],
)
def test_other_numbers_are_read_as_before(literal: str, user_id: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=LITERAL), form, literal=literal), form)
    assert record_of(found)["userId"] == user_id


@json_forms
@unreadable
def test_an_external_id_that_cannot_be_read_rejects_the_event(literal: str, form: BodyForm) -> None:
    for event, path in (
        (raw_event(external_id=LITERAL), "event.external_id"),
        (raw_event(external_id="", user={"external_id": LITERAL}), "user.external_id"),
        (raw_event(external_id=LITERAL, user={"external_id": "null"}), "event.external_id"),
    ):
        found = outcome_of(encoded(event, form, literal=literal), form)
        assert isinstance(found, Reject)
        assert found.reason is RejectReason.UNREADABLE_EXTERNAL_ID
        unreadable = [(each.path, each.field) for each in found.ignored if each.reason is EmptyReason.UNREADABLE]
        assert unreadable == [(path, IdField.EXTERNAL_ID)]


@json_forms
@unreadable
def test_it_rejects_nothing_where_another_external_id_is_good(literal: str, form: BodyForm) -> None:
    for event in (
        raw_event(external_id=LITERAL, user={"external_id": "u-77"}),
        raw_event(external_id="u-77", user={"external_id": LITERAL}),
    ):
        found = outcome_of(encoded(event, form, literal=literal), form)
        assert record_of(found)["userId"] == "u-77"


@json_forms
def test_a_good_id_under_a_second_name_is_as_good(form: BodyForm) -> None:
    for parts in ({"external_user_id": "u-77"}, {"user": {"external_user_id": "u-77"}}):
        event = raw_event(external_id=LITERAL, **dict[str, Any](parts))
        assert record_of(outcome_of(encoded(event, form, literal="12345.5"), form))["userId"] == "u-77"


@json_forms
@pytest.mark.parametrize("name", ["external_user_id", "event"])
def test_an_unreadable_id_under_a_second_name_rejects_too(name: str, form: BodyForm) -> None:
    if name == "event":
        event, top = raw_event(external_id=None, external_user_id=LITERAL), {}
    else:
        event, top = raw_event(external_id=None), {"external_user_id": LITERAL}
    found = outcome_of(encoded(event, form, literal="[7]", top=top), form)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.UNREADABLE_EXTERNAL_ID


@json_forms
@pytest.mark.parametrize("literal", ["null", "true", "false", "[]", "{}"])
def test_what_means_no_id_means_it_as_before(literal: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=LITERAL), form, literal=literal), form)
    assert (record_of(found)["anonymousId"], found.ignored) == (SUBSCRIPTION, ())


@json_forms
@pytest.mark.parametrize("anonymous", AnonymousPolicy)
def test_the_policy_for_anonymous_events_does_not_matter(anonymous: AnonymousPolicy, form: BodyForm) -> None:
    value = encoded(raw_event(external_id=LITERAL), form, literal="12345.5")
    found = outcome_of(value, form, Policy(records=SEGMENT, anonymous_engagement=anonymous))
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.UNREADABLE_EXTERNAL_ID


@json_forms
def test_a_rule_that_drops_comes_first_as_for_no_user(form: BodyForm) -> None:
    policy = Policy(records=SEGMENT, rules=parse_rules("rules: [{then: drop}]", filename="rules.yaml"))
    found = outcome_of(encoded(raw_event(external_id=LITERAL), form, literal="12345.5"), form, policy)
    assert isinstance(found, Drop)
    assert found.reason is DropReason.RULE


@json_forms
def test_a_time_of_many_digits_is_no_reason_to_lose_the_ids(form: BodyForm) -> None:
    event = raw_event(external_id=LITERAL, timestamp=1_767_225_600_000_000_000, datetime=None)
    record = record_of(outcome_of(encoded(event, form, literal="123456789012345678901"), form))
    assert (record["userId"], record["timestamp"]) == ("123456789012345678901", "2026-01-01T00:00:00.000Z")
