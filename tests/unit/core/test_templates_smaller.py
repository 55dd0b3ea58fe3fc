"""U+0000, tags in one text, links of devices, live activities."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.outcomes import Deliver, Drop
from pipeline.core.policy import Policy
from pipeline.core.processing import State
from pipeline.core.rules_file import parse_rules
from tests.body_forms import JSON_FORMS, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event
from tests.fakes.tracking import PlainCatalogue

NUL: Final = "\0"
forms = pytest.mark.parametrize("form", BodyForm)
json_forms = pytest.mark.parametrize("form", JSON_FORMS)


def with_nul(value: Any) -> Any:
    """Return a value with U+0000 around and inside every text."""
    match value:
        case str():
            return f"{NUL}{value[:1]}{NUL}{value[1:]}{NUL}"
        case dict():
            return {name: with_nul(each) for name, each in value.items()}
        case _:
            return value


@forms
def test_u_0000_is_removed_from_everything_that_goes_out(form: BodyForm) -> None:
    event = raw_event(
        "message.push.failed",
        message={"template_id": "t-1", "title": {"en": "Hi"}, "contents": "Come in"},
        user={"language": "de", "tags": {}, "subscription": {}},
        data={"page_name": "a", "page_id": "b", "target_name": "c", "target_id": "d", "failure_reason": "e"},
    )
    soiled = {part: with_nul(fields) for part, fields in event.items()}
    found = outcome_of(encoded(soiled, form), form)
    assert isinstance(found, Deliver)
    assert "\\u0000" not in found.record.decode()
    plain = outcome_of(encoded(event, form), form)
    assert isinstance(plain, Deliver)
    assert (orjson.loads(found.record), found.user_key) == (orjson.loads(plain.record), plain.user_key)


@forms
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_u_0000_is_removed_from_every_language_and_its_key(language: str, form: BodyForm) -> None:
    event = raw_event(message={"title": {"en": "a\0b", "d\0e": "a\0b"}}, user={"language": language})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] == "ab"


@forms
@pytest.mark.parametrize("text", ['{"en":"a\\u0000b"}', "{'en':'a\0b'}", '{"e\\u0000n":"ab","en":"ab"}'])
def test_u_0000_is_removed_from_texts_within_a_text(text: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(message={"title": text}), form), form)
    assert isinstance(found, Deliver)
    assert b"\\u0000" not in found.record.replace(b"\\\\u0000", b"")


@forms
@pytest.mark.parametrize("text", ["\0", "\0\0", " \0 ", "n\0ull", "\0null", "nan\0"])
def test_what_is_nothing_without_u_0000_is_nothing(text: str, form: BodyForm) -> None:
    event = raw_event(external_id=text, message={"id": text}, user={"language": text.strip()})
    found = outcome_of(encoded(event, form), form)
    assert "userId" not in record_of(found)
    assert not {"campaign_id", "language"} & properties_of(found).keys()


@json_forms
def test_u_0000_is_removed_under_second_names(form: BodyForm) -> None:
    event = raw_event(
        external_id=None,
        external_user_id="u\0-1",
        message={"url": None, "app_url": "https://a\0/", "live_activity_event_kind": "st\0art"},
    )
    found = outcome_of(encoded(event, form), form)
    assert record_of(found)["userId"] == "u-1"
    assert properties_of(found)["url"] == "https://a/"
    assert properties_of(found)["live_activity_event_kind"] == "start"
    value = encoded(raw_event(external_id=None, subscription_id=None), form, top={"external_user_id": "u\0-2"})
    assert record_of(outcome_of(value, form))["userId"] == "u-2"
    event = raw_event(external_id=None, subscription_id=None, user={"subscription": {"id": "s\0-1"}})
    assert record_of(outcome_of(encoded(event, form), form))["anonymousId"] == "s-1"


@forms
@pytest.mark.parametrize("text", [" e-77", "e-77 ", "\te-77\n", "\u00a0e-77\u2003", "\r\n e-77 \r\n", "e-77\0 "])
def test_white_space_around_the_event_s_id_is_removed(text: str, form: BodyForm) -> None:
    assert record_of(outcome_of(encoded(raw_event(id=text), form), form))["messageId"] == "e-77"


@forms
def test_an_event_s_id_that_is_unfit_gives_way_to_the_bytes_as_before(form: BodyForm) -> None:
    for text in ("e 77", "x" * 101, " e 77 ", "\u00e9"):
        assert len(record_of(outcome_of(encoded(raw_event(id=text), form), form))["messageId"]) == 36


def asks(tag: str, value: str) -> Policy:
    rules = f"rules: [{{when: {{tag: {{{tag}: '{value}'}}}}, then: drop}}]"
    return Policy(records=SEGMENT, rules=parse_rules(rules, filename="rules.yaml"))


@json_forms
@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ('{"plan":"premium"}', "plan", "premium"),
        (' {"plan" : "premium"} ', "plan", "premium"),
        ("{'plan':'premium'}", "plan", "premium"),
        ("{'plan': 'premium', 'vip': 'true'}", "vip", "true"),
        ("{'name': \"it's\", 'plan': 'premium'}", "plan", "premium"),
        ("{'plan'=>'premium'}", "plan", "premium"),
        ("{'level': 5, 'plan': 'premium'}", "level", "5"),
        ("{'vip': True, 'plan': 'premium'}", "vip", "true"),
        ('{"level": 5}', "level", "5"),
        ('{"n": 123456789012345678901}', "n", "123456789012345678901"),
        ("{'n': 123456789012345678901}", "n", "123456789012345678901"),
    ],
)
def test_tags_in_one_text_are_there_for_rules(text: str, tag: str, value: str, form: BodyForm) -> None:
    body = encoded(raw_event(user={"tags": text}), form)
    assert isinstance(outcome_of(body, form, asks(tag, value)), Drop)
    assert isinstance(outcome_of(body, form, asks(tag, "other")), Deliver)


@json_forms
@pytest.mark.parametrize("text", ["", "plan", "[]", "{", "{'plan'", "null", "7", '["plan"]', "{}", "{'a' 'b'}"])
def test_a_text_that_is_no_tags_is_none(text: str, form: BodyForm) -> None:
    assert isinstance(outcome_of(encoded(raw_event(user={"tags": text}), form), form, asks("plan", "*")), Deliver)


APPS: Final = (
    "iOS",
    "iOSPush",
    "IOS",
    "Android",
    "AndroidPush",
    "Huawei",
    "HuaweiPush",
    "Amazon",
    "FireOS",
    "FireOSPush",
)
BROWSERS: Final = (
    "ChromePush",
    "Chrome",
    "SafariPush",
    "FirefoxPush",
    "WindowsPush",
    "macOSPush",
    "Email",
    "SMS",
    "",
    None,
    "null",
)


def links(device: object, **urls: object) -> dict[str, Any]:
    return raw_event(subscription_device_type=device, message={"url": None, **urls})


@json_forms
@pytest.mark.parametrize("absent", [None, "", " ", "null"])
@pytest.mark.parametrize("device", [*APPS, *BROWSERS])
def test_the_link_is_that_of_the_device(device: str | None, absent: str | None, form: BodyForm) -> None:
    event = links(device, url=absent, app_url="shop://new?u=1", web_url="https://shop.example/new#u")
    expected = "shop://new" if device in APPS else "https://shop.example/new"
    assert properties_of(outcome_of(encoded(event, form), form))["url"] == expected


@json_forms
@pytest.mark.parametrize("device", ["iOS", "ChromePush"])
@pytest.mark.parametrize("name", ["app_url", "web_url"])
def test_the_other_link_stands_in(name: str, device: str, form: BodyForm) -> None:
    for absent in (None, "", "null", "undefined"):
        other = "web_url" if name == "app_url" else "app_url"
        event = links(device, **{name: "https://jo@shop.example/new?a=b", other: absent})
        assert properties_of(outcome_of(encoded(event, form), form))["url"] == "https://[removed]/new"


@json_forms
def test_the_url_itself_comes_first(form: BodyForm) -> None:
    event = links("iOS", url="https://shop.example/a", app_url="shop://b", web_url="https://shop.example/c")
    assert properties_of(outcome_of(encoded(event, form), form))["url"] == "https://shop.example/a"


@json_forms
@pytest.mark.parametrize("kind", ["start", "update", "end"])
def test_what_a_live_activity_does_is_a_property(kind: str, form: BodyForm) -> None:
    event = raw_event("message.live_activity.sent", message={"live_activity_event_kind": kind})
    assert properties_of(outcome_of(encoded(event, form), form))["live_activity_event_kind"] == kind
    event = raw_event("message.live_activity.sent", message={"live_activity_event_kind": "null"})
    assert "live_activity_event_kind" not in properties_of(outcome_of(encoded(event, form), form))


@json_forms
def test_the_catalogue_never_learns_it(form: BodyForm) -> None:
    event = raw_event(
        "message.live_activity.sent", message={"live_activity_event_kind": "start", "app_url": "shop://b"}
    )
    found = outcome_of(encoded(event, form), form, state=State(catalogue=PlainCatalogue()))
    assert isinstance(found, Deliver)
    assert found.change is not None
    assert found.change.learnt is not None
    learnt = orjson.loads(
        orjson.dumps(found.change.learnt, default=lambda each: {n: getattr(each, n) for n in each.__struct_fields__})
    )
    assert set(learnt) == {"id", "name", "title", "contents", "template_id", "url"}
    assert "start" not in learnt.values()


@pytest.mark.parametrize("kind", ["start", None])
def test_a_record_with_it_is_written_as_avro_and_read_back(kind: str | None) -> None:
    event = raw_event("message.live_activity.sent", message={"live_activity_event_kind": kind})
    found = outcome_of(encoded(event, BodyForm.NESTED), BodyForm.NESTED)
    assert isinstance(found, Deliver)
    body = encode_record(found.record)
    assert record_decoder(SEGMENT_RECORD.text)(body, 0) == found.record
    assert (b"start" in body) == (kind is not None)
