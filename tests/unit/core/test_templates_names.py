"""Other names of fields, and columns in upper case."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from pipeline.core.ids import IdField
from pipeline.core.outcomes import Deliver, Reject, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from tests.body_forms import FLAT_FORMS, JSON_FORMS, LITERAL, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event

TOKEN: Final = "6f1a0cf2b7d94e0f" * 4
json_forms = pytest.mark.parametrize("form", JSON_FORMS)
absent_ids = pytest.mark.parametrize("absent", [None, "", "null", "{{ event.subscription_id }}", "nan"])


@json_forms
@absent_ids
def test_the_user_s_subscription_is_taken_where_the_event_has_none(absent: str | None, form: BodyForm) -> None:
    subscription = {"id": "s-77", "subscription_token": TOKEN, "device_model": "iPhone15,2"}
    event = raw_event(external_id=None, subscription_id=absent, user={"subscription": subscription})
    found = outcome_of(encoded(event, form), form)
    assert record_of(found)["anonymousId"] == "s-77"
    assert properties_of(found)["subscription_id"] == "s-77"
    assert isinstance(found, Deliver)
    assert TOKEN.encode() not in found.record
    assert b"iPhone15,2" not in found.record
    known = outcome_of(encoded(raw_event(subscription_id=absent, user={"subscription": subscription}), form), form)
    assert (record_of(known)["userId"], properties_of(known)["subscription_id"]) == ("u-1001", "s-77")


@json_forms
def test_the_event_s_own_subscription_comes_first(form: BodyForm) -> None:
    event = raw_event(external_id=None, subscription_id="s-1", user={"subscription": {"id": "s-77"}})
    assert record_of(outcome_of(encoded(event, form), form))["anonymousId"] == "s-1"


@json_forms
@pytest.mark.parametrize("number", [77, 10**18])
def test_the_user_s_subscription_may_be_a_number(number: int, form: BodyForm) -> None:
    event = raw_event(external_id=None, subscription_id="", user={"subscription": {"id": number}})
    assert record_of(outcome_of(encoded(event, form), form))["anonymousId"] == str(number)


@json_forms
@pytest.mark.parametrize("text", ["jo@mail.example", "+4915112345678", TOKEN])
def test_an_address_a_number_or_a_token_is_no_subscription(text: str, form: BodyForm) -> None:
    event = raw_event(external_id=None, subscription_id="", user={"subscription": {"id": text}})
    found = outcome_of(encoded(event, form), form)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NO_USER
    assert [(each.path, each.field) for each in found.ignored] == [("user.subscription.id", IdField.SUBSCRIPTION_ID)]


@json_forms
@pytest.mark.parametrize("other", [[], ["s-77"], "s-77", {}, None, {"id": ["s-77"]}, {"id": {}}, {"id": True}])
def test_any_other_subscription_is_none(other: object, form: BodyForm) -> None:
    user = {"subscription": other} if form is BodyForm.NESTED or isinstance(other, dict) else {}
    event = raw_event(external_id=None, subscription_id="", user={"subscription": {}, **user})
    found = outcome_of(encoded(event, form), form)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NO_USER


def external_user_id_bodies(value: object, form: BodyForm, **parts: Any) -> list[bytes]:
    """Return bodies that have an external id only under each of its other names."""
    return [
        encoded(raw_event(**{"external_id": None, **parts}), form, top={"external_user_id": value}),
        encoded(raw_event(**{"external_id": None, **parts, "external_user_id": value}), form),
        encoded(raw_event(**{"external_id": None, **parts, "user": {"external_user_id": value}}), form),
    ]


@json_forms
@pytest.mark.parametrize("absent", [None, "", "null", "nan"])
def test_external_user_id_is_the_external_id_where_there_is_no_other(absent: str | None, form: BodyForm) -> None:
    for value in external_user_id_bodies("u-77", form, external_id=absent):
        assert record_of(outcome_of(value, form))["userId"] == "u-77"


@json_forms
def test_an_external_id_comes_before_external_user_id(form: BodyForm) -> None:
    for value in external_user_id_bodies("u-77", form, external_id="u-1"):
        assert record_of(outcome_of(value, form))["userId"] == "u-1"
    event = raw_event(external_id=None, external_user_id="u-77", user={"external_id": "u-2"})
    assert record_of(outcome_of(encoded(event, form, top={"external_user_id": "u-78"}), form))["userId"] == "u-2"


@json_forms
@pytest.mark.parametrize("text", ["null", "[object Object]", "000"])
def test_an_empty_external_user_id_is_ignored_and_counted(text: str, form: BodyForm) -> None:
    paths = ("external_user_id", "event.external_user_id", "user.external_user_id")
    for value, path in zip(external_user_id_bodies(text, form), paths, strict=True):
        found = outcome_of(value, form)
        assert "userId" not in record_of(found)
        assert [(each.path, each.field) for each in found.ignored] == [(path, IdField.EXTERNAL_ID)]


@json_forms
def test_own_words_count_for_external_user_id_too(form: BodyForm) -> None:
    for value in external_user_id_bodies("guest", form):
        policy = Policy(records=SEGMENT, nobody_ids=frozenset({"guest"}))
        assert "userId" not in record_of(outcome_of(value, form, policy))
        assert record_of(outcome_of(value, form))["userId"] == "guest"


@pytest.mark.parametrize("form", FLAT_FORMS)
@pytest.mark.parametrize("name", ["event", "kind", "event_type", "EVENT", "KIND", "EVENT_TYPE"])
@pytest.mark.parametrize("kind", ["message.push.clicked", "message_push_clicked", "message.iam.displayed"])
def test_the_kind_may_have_another_name(kind: str, name: str, form: BodyForm) -> None:
    for absent in (None, "", "null"):
        value = encoded(raw_event(kind), form)
        known = outcome_of(value, form)
        renamed = encoded(raw_event(absent or ""), form, top={name: kind})
        assert properties_of(outcome_of(renamed, form)) == properties_of(known)


@pytest.mark.parametrize("name", ["kind", "event_type", "KIND"])
def test_the_kind_may_stand_beside_a_nested_event(name: str) -> None:
    event = raw_event()
    del event["event"]["kind"]
    value = encoded(event, BodyForm.NESTED, top={name: "message.push.clicked"})
    assert properties_of(outcome_of(value, BodyForm.NESTED))["event_kind"] == "message.push.clicked"


@pytest.mark.parametrize("form", FLAT_FORMS)
@pytest.mark.parametrize("name", ["event", "kind", "event_type"])
@pytest.mark.parametrize("kind", ["order.created", "clicked", "", "null", 7, None, ["message.push.clicked"]])
def test_a_text_that_names_no_known_kind_makes_no_event(kind: object, name: str, form: BodyForm) -> None:
    value = encoded(raw_event(""), form, top={name: kind})
    found = outcome_of(value, form, Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER))
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NOT_AN_EVENT


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_the_kind_s_own_name_comes_first(form: BodyForm) -> None:
    value = encoded(raw_event("message.push.sent"), form, top={"kind": "message.push.clicked"})
    assert properties_of(outcome_of(value, form))["event_kind"] == "message.push.sent"


def test_columns_in_upper_case_are_read_like_those_in_lower_case() -> None:
    event = raw_event(
        "message.iam.clicked",
        message={"template_id": "t-1"},
        user={"language": "de", "external_id": "u-2", "onesignal_id": "o-2", "subscription": {"id": "s-2"}},
        data={"page_name": "Welcome", "page_id": "p", "target_name": "Buy", "target_id": "t", "failure_reason": "r"},
    )
    lower, upper = (encoded(event, form) for form in (BodyForm.SNAKE, BodyForm.UPPER))
    assert lower != upper
    assert outcome_of(upper, BodyForm.UPPER) == outcome_of(lower, BodyForm.SNAKE)
    assert record_of(outcome_of(upper, BodyForm.UPPER))["userId"] == "u-1001"


@pytest.mark.parametrize(
    ("body", "user_id", "kind"),
    [
        ({"EVENT_KIND": "message.push.sent", "EXTERNAL_ID": "u-77"}, "u-77", "message.push.sent"),
        ({"EVENT_KIND": "message.push.sent", "EVENT_EXTERNAL_ID": "u-77"}, "u-77", "message.push.sent"),
        ({"EVENT_KIND": "message.push.sent", "EXTERNAL_USER_ID": "u-77"}, "u-77", "message.push.sent"),
        ({"EVENT_KIND": "message.push.sent", "USER_EXTERNAL_ID": "u-77"}, "u-77", "message.push.sent"),
        ({"event_kind": "message.push.sent", "EXTERNAL_ID": "u-77"}, "u-77", "message.push.sent"),
        ({"EVENT_KIND": "message.push.sent", "external_id": "u-77"}, "u-77", "message.push.sent"),
        ({"EVENT_TYPE": "message.sms.sent", "EXTERNAL_ID": 77}, "77", "message.sms.sent"),
    ],
)
def test_single_columns_in_upper_case_are_read(body: dict[str, Any], user_id: str, kind: str) -> None:
    found = outcome_of(orjson.dumps(body), BodyForm.UPPER)
    assert (record_of(found)["userId"], properties_of(found)["event_kind"]) == (user_id, kind)


@pytest.mark.parametrize(
    "body",
    [
        {"EVENT.KIND": "message.push.sent", "EXTERNAL_ID": "u"},
        {"Event_Kind": "message.push.sent", "External_Id": "u"},
        {"EVENT": {"KIND": "message.push.sent", "EXTERNAL_ID": "u"}},
    ],
)
def test_other_keys_in_upper_case_are_not_read_as_before(body: dict[str, Any]) -> None:
    found = outcome_of(orjson.dumps(body), BodyForm.UPPER)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NOT_AN_EVENT


ODD: Final = ("7", "7.5", "[]", "[7]", "{}", '{"a":1}', "true", "null", '"caf\xe9"', "1e999", "7" * 400)
"""Values of the fields that early versions did not read."""


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("path", ["%s", '"event":{%s}', '"message":{%s}', '"user":{%s}'])
@pytest.mark.parametrize("name", ["external_user_id", "app_url", "web_url", "live_activity_event_kind", "flaws"])
def test_whatever_a_second_name_holds_nothing_else_is_read_otherwise(name: str, path: str, odd: str) -> None:
    facts = b'{"kind":"message.push.clicked","id":"e-1","external_id":"u-1","subscription_id":"s-1"}'
    beside = b'"external_id":"u-9","user.language":"de","note":"caf\xe9","more":1e999'
    field = (path % f'"{name}":{odd}').encode("latin-1")
    body = b'{"event":%s,%s,%s}' % (facts, field, beside)
    if path.startswith('"event"'):
        body = b'{"event":%s,%s,%s}' % (facts[:-1] + b"," + field[len(b'"event":{') :], b'"x":1', beside)
    found = outcome_of(body, BodyForm.NESTED)
    assert isinstance(found, Deliver)
    record = record_of(found)
    assert record["userId"] == "u-1"
    shown = {
        key: value for key, value in record["properties"].items() if key not in {"url", "live_activity_event_kind"}
    }
    plain = outcome_of(b'{"event":%s,%s}' % (facts, beside), BodyForm.NESTED)
    assert shown == properties_of(plain)


@pytest.mark.parametrize("name", ["external_user_id", "event.external_user_id", "user.external_user_id"])
@pytest.mark.parametrize(("literal", "user_id"), [("77", "77"), ("1" * 100, "1" * 100), ("12.0", "12")])
def test_a_number_under_a_second_name_is_an_id_with_its_digits(name: str, literal: str, user_id: str) -> None:
    *parts, last = name.split(".")
    member = f'"{last}":{literal}'
    event = '{"kind":"message.push.clicked","subscription_id":"s-1"%s}' % (f",{member}" if parts == ["event"] else "")
    rest = {"": f",{member}", "user": f',"user":{{{member}}}'}.get("".join(parts), "")
    assert record_of(outcome_of(f'{{"event":{event}{rest}}}'.encode(), BodyForm.NESTED))["userId"] == user_id


@json_forms
@pytest.mark.parametrize(("digits", "is_read"), [(100, True), (101, False), (400, False), (5_000, False)])
def test_a_subscription_of_the_user_has_at_most_100_digits_in_any_shape(
    *, digits: int, is_read: bool, form: BodyForm
) -> None:
    event = raw_event(external_id=None, subscription_id=None, user={"subscription": {"id": LITERAL}})
    found = outcome_of(encoded(event, form, literal="1" * digits), form)
    if is_read:
        assert record_of(found)["anonymousId"] == "1" * digits
    else:
        assert isinstance(found, Reject)


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_u_0000_hides_no_kind_under_another_name(form: BodyForm) -> None:
    value = encoded(raw_event(""), form, top={"kind": "message.push.clicked\0"})
    assert properties_of(outcome_of(value, form))["event_kind"] == "message.push.clicked"


@pytest.mark.parametrize("odd", ["7", "7.5", "[7]", '{"a":1}', "true", "null", "7" * 400])
@pytest.mark.parametrize("name", ["app_url", "web_url", "live_activity_event_kind"])
@pytest.mark.parametrize("separator", [".", "_"])
def test_whatever_a_later_field_of_a_flat_body_holds_the_rest_is_read_as_before(
    separator: str, name: str, odd: str
) -> None:
    fields = {"event.kind": "message.push.clicked", "event.id": "e-1", "message.name": "n"}
    body = {path.replace(".", separator): value for path, value in fields.items()}
    body["event.external_id" if separator == "." else "external_id"] = "u-1"
    plain = orjson.dumps(body)
    value = plain[:-1] + f',"message{separator}{name}":{odd}}}'.encode()
    shown = properties_of(outcome_of(value, BodyForm.DOTTED))
    assert {**shown, "url": None, "live_activity_event_kind": None} == {
        **properties_of(outcome_of(plain, BodyForm.DOTTED)),
        "url": None,
        "live_activity_event_kind": None,
    }
