"""Empty ids, as templates, SDKs and exports write them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipeline.core.ids import EmptyReason, IdField, IgnoredId
from pipeline.core.outcomes import Deliver, Drop, Reject, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from tests.body_forms import FLAT_FORMS, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event

SUBSCRIPTION: Final = "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"
NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"
EMPTY_NOW: Final = {
    "[object Object]": EmptyReason.OBJECT,
    "[object Undefined]": EmptyReason.OBJECT,
    "[Object Map]": EmptyReason.OBJECT,
    ' "[object Object]" ': EmptyReason.OBJECT,
    "nan": EmptyReason.WORD,
    "NaN": EmptyReason.WORD,
    "NAN": EmptyReason.WORD,
    "all": EmptyReason.WORD,
    "All": EmptyReason.WORD,
    "(null)": EmptyReason.WORD,
    "<null>": EmptyReason.WORD,
    "[null]": EmptyReason.WORD,
    "{undefined}": EmptyReason.WORD,
    '"null"': EmptyReason.WORD,
    "'undefined'": EmptyReason.WORD,
    "\u2018None\u2019": EmptyReason.WORD,
    "\u300cnull\u300d": EmptyReason.WORD,
    "\u200bnull\ufeff": EmptyReason.WORD,
    "Optional(nil)": EmptyReason.WORD,
    'Optional("nan")': EmptyReason.WORD,
    "optional( <null> )": EmptyReason.WORD,
    f"{{{NIL_UUID}}}": EmptyReason.WORD,
    "{{ event.external_id }}": EmptyReason.TEMPLATE,
    "{{event.external_id}}": EmptyReason.TEMPLATE,
    "{{{ user.id }}}": EmptyReason.TEMPLATE,
    "{{ user.id | default: 'x' }}": EmptyReason.TEMPLATE,
    "{% if user %}": EmptyReason.TEMPLATE,
    "${externalId}": EmptyReason.TEMPLATE,
    ' "{{ event.external_id }}"': EmptyReason.TEMPLATE,
    "${{ event.external_id }}": EmptyReason.TEMPLATE,
    "Optional({{ event.external_id }})": EmptyReason.TEMPLATE,
    "\uff02null\uff02": EmptyReason.WORD,
    "\uff1cnull\uff1e": EmptyReason.WORD,
    "000": EmptyReason.ZEROS,
    "--": EmptyReason.ZEROS,
    "0.0": EmptyReason.ZEROS,
    "0 0": EmptyReason.ZEROS,
    "...": EmptyReason.ZEROS,
    "00000000000000000000000000000000": EmptyReason.ZEROS,
    "0\u200b0": EmptyReason.ZEROS,
    '""': EmptyReason.NOTHING_LEFT,
    "''": EmptyReason.NOTHING_LEFT,
    "()": EmptyReason.NOTHING_LEFT,
    "\u200b": EmptyReason.NOTHING_LEFT,
    "Optional()": EmptyReason.NOTHING_LEFT,
}
"""Empty ids that earlier versions accepted, with the reason."""

IDS: Final = (
    *("null-island", "Nancy", "guest", "1", "{u-77}", 'Optional("u-77")', " u 1 ", "(u)", "nan-1", "allan", "nullable"),
    *(
        "0x0",
        "10",
        "0.1",
        "-7",
        "email",
        "[object]",
        "{{ user.id }}-7",
        "7-{{ user.id }}",
        "object Object",
        "none1",
        "Ü",
    ),
)

FIELDS: Final = {
    IdField.EVENT_ID: ("event", "id"),
    IdField.APP_ID: ("event", "app_id"),
    IdField.SUBSCRIPTION_ID: ("event", "subscription_id"),
    IdField.ONESIGNAL_ID: ("event", "onesignal_id"),
    IdField.EXTERNAL_ID: ("event", "external_id"),
    IdField.MESSAGE_ID: ("message", "id"),
    IdField.TEMPLATE_ID: ("message", "template_id"),
}
forms = pytest.mark.parametrize("form", BodyForm)
each_empty = pytest.mark.parametrize(("text", "reason"), EMPTY_NOW.items(), ids=ascii)
EXAMPLES: Final = ("[object Object]", "nan", "(null)", "all", "{{ event.external_id }}", "000")


def event_with(field: IdField, text: str, **parts: Any) -> dict[str, Any]:
    event = raw_event(**parts)
    part, name = FIELDS[field]
    event[part][name] = text
    return event


def ignored(field: IdField, text: str, reason: EmptyReason) -> IgnoredId:
    return IgnoredId(".".join(FIELDS[field]), field, text, reason)


@forms
@each_empty
def test_an_empty_external_id_hides_no_other(text: str, reason: EmptyReason, form: BodyForm) -> None:
    event = raw_event(external_id=text, user={"external_id": "u-77"})
    found = outcome_of(encoded(event, form), form)
    assert record_of(found)["userId"] == "u-77"
    assert found.ignored == (ignored(IdField.EXTERNAL_ID, text, reason),)


@forms
@each_empty
def test_an_event_whose_external_ids_are_empty_is_anonymous(text: str, reason: EmptyReason, form: BodyForm) -> None:
    event = raw_event(external_id=text, user={"external_id": text})
    found = outcome_of(encoded(event, form), form)
    record = record_of(found)
    assert (record.get("userId"), record["anonymousId"]) == (None, SUBSCRIPTION)
    assert [(each.path, each.reason) for each in found.ignored] == [
        ("event.external_id", reason),
        ("user.external_id", reason),
    ]


@forms
@each_empty
def test_an_empty_subscription_names_nobody(text: str, reason: EmptyReason, form: BodyForm) -> None:
    anonymous = outcome_of(encoded(raw_event(external_id="", subscription_id=text), form), form)
    assert isinstance(anonymous, Reject)
    assert anonymous.reason is RejectReason.NO_USER
    assert anonymous.ignored == (ignored(IdField.SUBSCRIPTION_ID, text, reason),)
    assert "subscription_id" not in properties_of(outcome_of(encoded(raw_event(subscription_id=text), form), form))


@forms
@each_empty
def test_two_events_with_an_empty_id_have_message_ids_of_their_own(
    text: str, reason: EmptyReason, form: BodyForm
) -> None:
    found = [outcome_of(encoded(raw_event(id=text, external_id=user), form), form) for user in ("u-1", "u-2")]
    first, second = (record_of(each)["messageId"] for each in found)
    assert first != second
    assert text not in {first, second}
    assert found[0].ignored == (ignored(IdField.EVENT_ID, text, reason),)


@forms
@each_empty
def test_an_empty_id_is_no_property(text: str, reason: EmptyReason, form: BodyForm) -> None:
    event = raw_event(onesignal_id=text, message={"id": text, "template_id": text})
    found = outcome_of(encoded(event, form), form)
    assert not {"messageId", "campaign_id", "template_id", "onesignal_id"} & properties_of(found).keys()
    assert set(found.ignored) == {
        ignored(field, text, reason) for field in (IdField.ONESIGNAL_ID, IdField.MESSAGE_ID, IdField.TEMPLATE_ID)
    }


@forms
@each_empty
def test_an_empty_app_id_is_in_no_context(text: str, reason: EmptyReason, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(app_id=text), form), form)
    assert "app_id" not in record_of(found)["context"]["onesignal"]
    assert found.ignored == (ignored(IdField.APP_ID, text, reason),)


@forms
@pytest.mark.parametrize("text", EXAMPLES)
def test_the_user_s_onesignal_id_is_taken_where_the_event_s_is_empty(text: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(onesignal_id=text, user={"onesignal_id": "o-7"}), form), form)
    assert properties_of(found)["onesignal_id"] == "o-7"
    event = raw_event(onesignal_id="", user={"onesignal_id": text})
    nothing = outcome_of(encoded(event, form), form)
    assert "onesignal_id" not in properties_of(nothing)
    assert [each.path for each in nothing.ignored] == ["user.onesignal_id"]


@forms
@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.parametrize("field", [IdField.APP_ID, IdField.MESSAGE_ID, IdField.TEMPLATE_ID])
def test_no_rule_meets_an_empty_id(field: IdField, text: str, form: BodyForm) -> None:
    rules = f"rules: [{{when: {{{field.value}: [{text!r}, x]}}, then: drop}}]"
    policy = Policy(records=SEGMENT, rules=parse_rules(rules, filename="rules.yaml"))
    found = [outcome_of(encoded(event_with(field, each), form), form, policy) for each in (text, "x")]
    assert [type(each) for each in found] == [Deliver, Drop]


@pytest.mark.parametrize("form", FLAT_FORMS)
@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.parametrize(
    ("field", "spellings"),
    [
        (IdField.EXTERNAL_ID, ("event.external_id", "event_external_id", "external_id")),
        (IdField.SUBSCRIPTION_ID, ("event.subscription_id", "subscription_id", "event_subscription_id")),
        (IdField.MESSAGE_ID, ("message.id", "message_id")),
        (IdField.EVENT_ID, ("event.id", "event_id")),
        (IdField.TEMPLATE_ID, ("message.template_id", "template_id", "message_template_id")),
    ],
)
def test_of_two_spellings_the_one_that_is_not_empty_counts(
    field: IdField, spellings: tuple[str, ...], text: str, form: BodyForm
) -> None:
    event = event_with(field, text)
    if field is IdField.SUBSCRIPTION_ID:
        event["event"]["external_id"] = ""
    value = encoded(event, form)
    other = next(spelling for spelling in spellings if f'"{spelling}"'.encode() not in value)
    end = b"}}" if form is BodyForm.GROUPED else b"}"
    found = record_of(outcome_of(value.removesuffix(end) + f',"{other}":"x-7"'.encode() + end, form))
    found = {
        IdField.EXTERNAL_ID: found.get("userId"),
        IdField.SUBSCRIPTION_ID: found.get("anonymousId"),
        IdField.EVENT_ID: found["messageId"],
        IdField.MESSAGE_ID: found["properties"].get("campaign_id"),
        IdField.TEMPLATE_ID: found["properties"].get("template_id"),
    }
    assert found[field] == "x-7"


@forms
@pytest.mark.parametrize("text", IDS)
def test_everything_else_is_an_id_and_goes_out_unchanged(text: str, form: BodyForm) -> None:
    ids: dict[str, Any] = {name: text for part, name in FIELDS.values() if part == "event" and name != "id"}
    event = raw_event(**ids, message={"id": text, "template_id": text})
    found = outcome_of(encoded(event, form), form)
    record = record_of(found)
    properties, context = record["properties"], record["context"]["onesignal"]
    assert (record["userId"], context["app_id"], found.ignored) == (text, text, ())
    names = ("messageId", "campaign_id", "template_id", "subscription_id", "onesignal_id")
    assert [properties[name] for name in names] == [text] * len(names)
    anonymous = outcome_of(encoded(raw_event(external_id="", subscription_id=text), form), form)
    assert record_of(anonymous)["anonymousId"] == text


@forms
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"])
def test_a_blank_id_is_absent_and_not_counted(blank: str, form: BodyForm) -> None:
    event = raw_event(
        external_id=blank, id=blank, app_id=blank, onesignal_id=blank, message={"id": blank, "template_id": blank}
    )
    found = outcome_of(encoded(event, form), form)
    assert record_of(found)["anonymousId"] == SUBSCRIPTION
    assert found.ignored == ()


@forms
def test_the_nil_uuid_is_still_no_id_and_now_counted(form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=NIL_UUID), form), form)
    assert record_of(found)["anonymousId"] == SUBSCRIPTION
    assert found.ignored == (ignored(IdField.EXTERNAL_ID, NIL_UUID, EmptyReason.WORD),)
