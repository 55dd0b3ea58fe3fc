from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core import events
from pipeline.core.events import Event, decode
from pipeline.core.outcomes import RejectReason
from pipeline.core.tags import read_tags
from tests.builders import BodyShape, encode, raw_event


def decoded(body: Any) -> Event:
    event = decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(event, Event)
    return event


def tags_of(event: Event) -> dict[str, str]:
    assert event.user is not None
    return read_tags(event.user.tags, ("plan", "deep"))


@pytest.mark.parametrize("shape", [BodyShape.NESTED, BodyShape.DOTTED, BodyShape.SNAKE])
def test_the_typical_event_takes_the_fast_path(shape: BodyShape, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_value: bytes) -> RejectReason:
        pytest.fail("a body in one spelling needs no reading field by field")

    monkeypatch.setattr(events, "canonical_form", refuse)
    assert decoded(encode(raw_event(data={"page_name": "Welcome"}), shape)).event.external_id == "u-1001"


@pytest.mark.parametrize("shape", BodyShape)
def test_every_body_shape_gives_the_same_event(shape: BodyShape) -> None:
    event = raw_event(
        "message.iam.clicked",
        message={"template_id": "t-1"},
        user={"tags": {"plan": "premium"}},
        data={"page_name": "Welcome", "target_id": "t1"},
    )
    found, nested = decoded(encode(event, shape)), decoded(encode(event))
    assert (found.event, found.message) == (nested.event, nested.message)
    assert found.user is not None
    assert found.user.language == "en"
    assert tags_of(found) == {"plan": "premium"}


def test_the_official_grouped_sample_is_read() -> None:
    event = decoded(
        {
            "Event Data": {"event.kind": "message.push.sent", "event.id": "e", "event.external_id": "u"},
            "Message Data": {"message.id": "m", "template_id": "t", "message.title": "{'en':'Flash Sale...'}"},
        },
    )
    assert (event.event.kind, event.event.id, event.event.external_id) == ("message.push.sent", "e", "u")
    assert event.message is not None
    assert (event.message.id, event.message.template_id) == ("m", "t")
    assert event.message.title == "{'en':'Flash Sale...'}"


def test_the_warehouse_columns_are_read() -> None:
    event = decoded(
        {
            "event_id": "e",
            "event_timestamp": 1767225600,
            "event_kind": "message.email.failed",
            "subscription_device_type": "Email",
            "subscription_id": "s",
            "onesignal_id": "o",
            "external_id": "u",
            "app_id": "a",
            "template_id": "t",
            "message_id": "m",
            "message_name": "n",
            "message_title": "i",
            "message_contents": "c",
            "failure_reason": "r",
            "language": "de",
        },
    )
    facts, content, person = event.event, event.message, event.user
    assert content is not None
    assert person is not None
    assert facts.data is not None
    assert [facts.id, facts.timestamp, facts.kind, facts.subscription_device_type, facts.subscription_id] == [
        "e",
        1767225600,
        "message.email.failed",
        "Email",
        "s",
    ]
    assert [facts.onesignal_id, facts.external_id, facts.app_id, facts.data.failure_reason] == ["o", "u", "a", "r"]
    assert [content.template_id, content.id, content.name, content.title, content.contents] == ["t", "m", "n", "i", "c"]
    assert person.language == "de"


def test_a_dotted_object_may_be_spread_over_keys() -> None:
    event = decoded(
        {"event.kind": "k", "message.title.en": "Hi", "message.title.de": "Hallo", "user.tags.plan": "free"}
    )
    assert event.message is not None
    assert event.message.title == {"en": "Hi", "de": "Hallo"}
    assert tags_of(event) == {"plan": "free"}


def test_a_title_that_is_a_text_is_not_spread_into() -> None:
    event = decoded({"event.kind": "k", "message.title": "Hi", "message.title.de": "Hallo"})
    assert event.message is not None
    assert event.message.title == "Hi"


def test_keys_that_are_not_known_are_passed_over() -> None:
    event = decoded({"event_kind": "k", "custom": {"external_id": "someone else"}, "answer": 42, "event": None})
    assert event.event.external_id is None


def test_tags_named_like_fields_are_not_taken_for_fields() -> None:
    event = decoded({"event_kind": "k", "tags": {"external_id": "someone else"}, "user_tags": {"language": "xx"}})
    assert event.event.external_id is None
    assert event.user is not None
    assert event.user.language is None


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (7, "7"),
        (12.0, "12"),
        (2**70, str(2**70)),
        (1.5, None),
        (True, None),
        ([1], None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_a_number_is_taken_as_its_text_and_other_types_count_as_absent(wrong: object, text: str | None) -> None:
    event = decoded(raw_event(external_id=wrong, message={"name": wrong}))
    assert event.event.external_id == text
    assert event.message is not None
    assert event.message.name == text
    assert event.event.id == raw_event()["event"]["id"]


@pytest.mark.parametrize("wrong", ["plan=premium", 5, ["premium"], None, True])
def test_tags_of_a_wrong_type_count_as_absent(wrong: object) -> None:
    assert tags_of(decoded(raw_event(user={"tags": wrong}))) == {}
    assert tags_of(decoded(encode(raw_event(user={"tags": wrong}), BodyShape.SNAKE))) == {}


@pytest.mark.parametrize("wrong", [True, [1], {"a": 1}])
def test_a_time_of_a_wrong_type_counts_as_absent(wrong: object) -> None:
    assert decoded(raw_event(timestamp=wrong)).event.timestamp is None


def test_a_part_of_a_wrong_type_counts_as_absent() -> None:
    event = decoded({"event": {"kind": "k", "data": ""}, "message": "", "user": []})
    assert event.message is not None
    assert event.message.id is None


def test_the_first_spelling_that_is_not_blank_counts() -> None:
    event = decoded({"event_kind": "k", "external_id": " ", "event.external_id": "u-1", "event_external_id": "u-2"})
    assert event.event.external_id == "u-1"


def test_of_two_equal_keys_the_last_counts() -> None:
    assert decoded(b'{"event":{"kind":"a","kind":"b"}}').event.kind == "b"
    assert decoded(b'{"event_kind":"a","event_kind":"b"}').event.kind == "b"


def test_half_an_emoji_becomes_the_replacement_character() -> None:
    value = rb'{"event":{"kind":"k"},"message":{"contents":"cut \ud83d","name":"\ud83d\ude00 \\ud83d \udc00"}}'
    event = decoded(value)
    assert event.message is not None
    assert (event.message.contents, event.message.name) == ("cut \ufffd", "\U0001f600 \\ud83d \ufffd")


def test_a_byte_order_mark_is_forgiven() -> None:
    assert decoded(b'\xef\xbb\xbf{"event":{"kind":"k"}}').event.kind == "k"


def test_bytes_that_are_not_text_do_no_harm_where_nothing_is_read() -> None:
    assert decoded(b'{"event":{"kind":"k"},"other":"\xff"}').event.kind == "k"


NESTED_1000 = b'{"event":{"kind":"k"},"deep":' + b"[" * 1000 + b"]" * 1000 + b"}"


def test_groups_in_groups_and_deep_tags_do_no_harm() -> None:
    groups = b'{"a data":' * 900 + b"1" + b"}" * 900
    assert decode(groups) is RejectReason.NOT_AN_EVENT
    deep_tag = b'{"event_kind":"k","user_tags":{"plan":"free","deep":' + b"[" * 900 + b"]" * 900 + b"}}"
    assert tags_of(decoded(deep_tag)) == {"plan": "free"}
    deep_nested_tag = b'{"event":{"kind":"k"},"user":{"tags":{"plan":"free","deep":' + b"[" * 900 + b"]" * 900 + b"}}}"
    assert tags_of(decoded(deep_nested_tag)) == {"plan": "free"}


def test_tags_that_cannot_be_read_count_as_absent() -> None:
    assert tags_of(decoded(b'{"event":{"kind":"k"},"user":{"tags":{"plan":"\xff"}}}')) == {}


def test_what_is_not_read_may_be_a_thousand_levels_deep() -> None:
    assert decoded(NESTED_1000).event.kind == "k"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", RejectReason.NOT_JSON),
        (b" \n", RejectReason.NOT_JSON),
        (b"hello", RejectReason.NOT_JSON),
        (b'{"event":{"kind":"k"}', RejectReason.NOT_JSON),
        (b'{"event":{"kind":"k"}} trailing', RejectReason.NOT_JSON),
        (b'{"event":{"kind":"k"},"n":NaN}', RejectReason.NOT_JSON),
        (rb'{"event":{"kind":"k"},"n":"\uZZZZ"}', RejectReason.NOT_JSON),
        (b"\x00\x01", RejectReason.NOT_JSON),
        (b'{"event":{"kind":"\xff"}}', RejectReason.NOT_UTF8),
        (b'{"event":{"kind":"\xed\xa0\x80"}}', RejectReason.NOT_UTF8),
        (b"\xff\xfe", RejectReason.NOT_UTF8),
        (b"[" * 10_000 + b"]" * 10_000, RejectReason.TOO_DEEP),
        (b'{"event":' * 10_000, RejectReason.TOO_DEEP),
        (b"null", RejectReason.NOT_AN_EVENT),
        (b"5", RejectReason.NOT_AN_EVENT),
        (b'"event"', RejectReason.NOT_AN_EVENT),
        (b"[]", RejectReason.NOT_AN_EVENT),
        (b"{}", RejectReason.NOT_AN_EVENT),
        (b'{"event":{}}', RejectReason.NOT_AN_EVENT),
        (b'{"event":{"kind":null}}', RejectReason.NOT_AN_EVENT),
        (b'{"event":{"kind":[]}}', RejectReason.NOT_AN_EVENT),
        (b'{"event_kind":" ","other":1}', RejectReason.NOT_AN_EVENT),
    ],
)
def test_what_cannot_be_used_has_a_reason(value: bytes, reason: RejectReason) -> None:
    assert decode(value) is reason


def test_a_megabyte_is_read() -> None:
    event = decoded(raw_event(message={"contents": "x" * 1_000_000}))
    assert event.message is not None
    assert event.message.contents is not None
    assert len(event.message.contents) == 1_000_000


def test_what_identifies_a_device_or_an_inbox_is_not_decoded() -> None:
    token = "jo@mail.example"
    event = raw_event(user={"subscription": {"subscription_token": token}})
    assert all(token not in repr(decoded(encode(event, shape))) for shape in BodyShape)
