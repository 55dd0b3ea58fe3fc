"""Placeholders in texts, the catalogue, and the user's own placeholders."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipeline.core.content import Content
from pipeline.core.ids import EmptyReason, IdField
from pipeline.core.outcomes import Deliver, Reject, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.processing import State
from pipeline.core.rules_file import parse_rules
from tests.body_forms import FLAT_FORMS, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event
from tests.fakes.tracking import PlainCatalogue

PLACEHOLDERS: Final = ("null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]")
TEXTS: Final = (
    "Null",
    "NULL",
    "nil",
    "none",
    "None of us",
    "n/a",
    " null ",
    "all",
    "--",
    "0",
    "{{ name }}",
    "Undefined",
)
BLANK: Final = {"name": "", "title": "", "contents": ""}
KNOWN: Final = Content(id="m-1", name="new-year", title="Happy", contents="Come in", url="https://shop.example/a")
forms = pytest.mark.parametrize("form", BodyForm)
placeholders = pytest.mark.parametrize("text", PLACEHOLDERS)

# The part with a text, the name of the text, and the properties that it becomes.
FIELDS: Final = (
    ("message", "name", ("message_name",)),
    ("message", "title", ("message_title",)),
    ("message", "contents", ("message_contents",)),
    ("message", "url", ("url",)),
    ("user", "language", ("language",)),
    ("event", "subscription_device_type", ("subscription_type", "subscription_device_type")),
    *(
        ("data", name, (name,))
        for name in (
            *("page_name", "page_id", "target_name", "target_id"),
            *("failure_reason", "live_activity_id", "live_activity_type"),
        )
    ),
)


def event_with(part: str, name: str, text: object) -> dict[str, Any]:
    event = raw_event(data={"page_name": "a", "failure_reason": "b"})
    (event["event"]["data"] if part == "data" else event[part])[name] = text
    return event


@forms
@placeholders
@pytest.mark.parametrize(("part", "name", "properties"), FIELDS)
def test_a_placeholder_is_no_property(
    part: str, name: str, properties: tuple[str, ...], text: str, form: BodyForm
) -> None:
    found = outcome_of(encoded(event_with(part, name, text), form), form)
    assert not set(properties) & properties_of(found).keys()
    assert found.ignored == ()


@forms
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("part", "name", "properties"), FIELDS)
def test_any_other_text_stays(part: str, name: str, properties: tuple[str, ...], text: str, form: BodyForm) -> None:
    found = properties_of(outcome_of(encoded(event_with(part, name, text), form), form))
    assert [found.get(each) for each in properties] == [text] * len(properties)


@forms
@placeholders
@pytest.mark.parametrize("name", ["title", "contents"])
def test_a_placeholder_in_the_user_s_language_is_passed_over(name: str, text: str, form: BodyForm) -> None:
    event = raw_event(message={name: {"de": text, "fr": "Salut", "en": "Hi"}}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))[f"message_{name}"] == "Hi"
    event = raw_event(message={name: {"en": text, "de": text, "fr": "Salut"}}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))[f"message_{name}"] == "Salut"
    event = raw_event(message={name: {"en": text, "de": "null"}}, user={"language": "de"})
    assert f"message_{name}" not in properties_of(outcome_of(encoded(event, form), form))


@placeholders
def test_a_placeholder_is_passed_over_where_languages_have_keys_of_their_own(text: str) -> None:
    body = (
        f'{{"event.kind":"message.push.sent","external_id":"u","message.title.en":"{text}","message.title.de":"Hallo"}}'
    )
    assert properties_of(outcome_of(body.encode(), BodyForm.DOTTED))["message_title"] == "Hallo"


@placeholders
@pytest.mark.parametrize("form", FLAT_FORMS)
def test_a_placeholder_in_one_spelling_gives_way_to_the_other(text: str, form: BodyForm) -> None:
    end = b"}}" if form is BodyForm.GROUPED else b"}"
    other = "message.name" if form in {BodyForm.SNAKE, BodyForm.UPPER} else "message_name"
    value = encoded(raw_event(message={"name": text}), form).removesuffix(end) + f',"{other}":"mine"'.encode() + end
    assert properties_of(outcome_of(value, form))["message_name"] == "mine"


@forms
@placeholders
def test_a_kind_that_is_a_placeholder_is_no_event(text: str, form: BodyForm) -> None:
    found = outcome_of(
        encoded(raw_event(text), form), form, Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER)
    )
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NOT_AN_EVENT


@forms
@placeholders
def test_no_rule_meets_a_placeholder(text: str, form: BodyForm) -> None:
    rules = (
        f"rules: [{{when: {{message_name: '*'}}, then: drop}}, {{when: {{language: {text.lower()!r}}}, then: drop}}]"
    )
    policy = Policy(records=SEGMENT, rules=parse_rules(rules, filename="rules.yaml"))
    event = raw_event(message={"name": text}, user={"language": text})
    assert isinstance(outcome_of(encoded(event, form), form, policy), Deliver)


@forms
@pytest.mark.parametrize("text", ["null", "nan", "[object Object]", "{{ message.id }}", "000"])
def test_the_catalogue_never_knows_a_message_whose_id_is_empty(text: str, form: BodyForm) -> None:
    of_another = PlainCatalogue(Content(id=text, name="another's", title="Not yours", contents="No"))
    clicked = raw_event(message={"id": text, **BLANK})
    found = outcome_of(encoded(clicked, form), form, state=State(catalogue=of_another))
    assert "message_name" not in properties_of(found)
    sent = raw_event("message.push.sent", message={"id": text, "name": "mine"})
    found = outcome_of(encoded(sent, form), form, state=State(catalogue=PlainCatalogue()))
    assert isinstance(found, Deliver)
    assert found.change is None


@forms
@placeholders
def test_the_catalogue_fills_in_for_placeholders(text: str, form: BodyForm) -> None:
    event = raw_event(message={"id": "m-1", "name": text, "title": {"en": text}, "contents": text, "url": text})
    found = outcome_of(encoded(event, form), form, state=State(catalogue=PlainCatalogue(KNOWN)))
    assert isinstance(found, Deliver)
    assert found.filled
    properties = properties_of(found)
    names = ("message_name", "message_title", "message_contents", "url")
    assert [properties[name] for name in names] == ["new-year", "Happy", "Come in", "https://shop.example/a"]


@forms
@placeholders
def test_the_catalogue_learns_no_message_that_says_placeholders_alone(text: str, form: BodyForm) -> None:
    event = raw_event("message.push.sent", message={"id": "m-1", "name": text, "title": text, "contents": text})
    found = outcome_of(encoded(event, form), form, state=State(catalogue=PlainCatalogue()))
    assert isinstance(found, Deliver)
    assert found.change is None


@pytest.mark.parametrize(
    "title", ["{'en':'null'}", '{"en":"nan"}', {"en": "null", "de": None}, {"en": "null", "de": 7}]
)
def test_the_catalogue_fills_in_for_a_title_that_says_nothing_in_any_language(title: object) -> None:
    event = raw_event(message={"id": "m-1", "name": "", "title": title, "contents": None})
    found = outcome_of(encoded(event, BodyForm.NESTED), BodyForm.NESTED, state=State(catalogue=PlainCatalogue(KNOWN)))
    assert isinstance(found, Deliver)
    assert (found.filled, properties_of(found)["message_title"]) == (True, "Happy")


WORDS: Final = frozenset({"guest", "1", "email"})


@forms
@pytest.mark.parametrize("text", ["guest", "1", "email", "Guest", "(guest)", ' "EMAIL" ', "Optional(1)", "<email>"])
def test_own_words_name_nobody(text: str, form: BodyForm) -> None:
    event = raw_event(external_id=text, user={"external_id": text})
    found = outcome_of(encoded(event, form), form, Policy(records=SEGMENT, nobody_ids=WORDS))
    assert "userId" not in record_of(found)
    assert [(each.path, each.field, each.reason) for each in found.ignored] == [
        ("event.external_id", IdField.EXTERNAL_ID, EmptyReason.NOBODY),
        ("user.external_id", IdField.EXTERNAL_ID, EmptyReason.NOBODY),
    ]
    usual = outcome_of(encoded(event, form), form)
    assert (record_of(usual)["userId"], usual.ignored) == (text, ())


@forms
def test_own_words_hide_no_other_external_id(form: BodyForm) -> None:
    event = raw_event(external_id="guest", user={"external_id": "u-77"})
    assert (
        record_of(outcome_of(encoded(event, form), form, Policy(records=SEGMENT, nobody_ids=WORDS)))["userId"] == "u-77"
    )


@forms
def test_own_words_count_for_external_ids_alone(form: BodyForm) -> None:
    event = raw_event(
        external_id="", subscription_id="guest", id="1", app_id="email", message={"id": "1", "template_id": "guest"}
    )
    found = outcome_of(encoded(event, form), form, Policy(records=SEGMENT, nobody_ids=WORDS))
    assert (record_of(found)["anonymousId"], record_of(found)["messageId"], found.ignored) == ("guest", "1", ())
    assert properties_of(found)["campaign_id"] == "1"
    assert properties_of(found)["template_id"] == "guest"


@forms
@pytest.mark.parametrize("text", ["guests", "11", "e-mail", "guest-7", "a guest"])
def test_what_is_not_one_of_the_own_words_is_an_id(text: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=text), form), form, Policy(records=SEGMENT, nobody_ids=WORDS))
    assert record_of(found)["userId"] == text


def test_the_version_changes_with_the_own_words_and_not_with_their_order_or_spelling() -> None:
    versions = {
        Policy(records=SEGMENT, nobody_ids=frozenset(words)).version for words in ([], ["guest"], ["1"], ["guest", "1"])
    }
    assert len(versions) == 4
    same = (("guest", "1"), ("1", "guest"), ("GUEST", "(1)"), (" 'guest' ", '"1"', "guest"))
    assert len({Policy(records=SEGMENT, nobody_ids=frozenset(words)).version for words in same}) == 1


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_own_words_give_way_to_another_spelling(form: BodyForm) -> None:
    end = b"}}" if form is BodyForm.GROUPED else b"}"
    other = "event.external_id" if form in {BodyForm.SNAKE, BodyForm.UPPER} else "event_external_id"
    value = encoded(raw_event(external_id="guest"), form).removesuffix(end) + f',"{other}":"u-77"'.encode() + end
    assert record_of(outcome_of(value, form, Policy(records=SEGMENT, nobody_ids=WORDS)))["userId"] == "u-77"
    assert record_of(outcome_of(value, form))["userId"] in {"guest", "u-77"}
