from __future__ import annotations

import ctypes
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.core.destinations.segment.names import ONESIGNAL_NAMES
from pipeline.core.identity import identify
from pipeline.core.kinds import KINDS, Channel, kind_of
from pipeline.core.outcomes import Deliver, Reject, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.core.record_values import MESSAGE_TYPES
from tests.builders import SEGMENT, raw_event, raw_message
from tests.unit.core.filtering import event

if TYPE_CHECKING:
    from tests.builders import Event

LIMIT = 32_768


def record_bytes(raw: Event) -> bytes:
    outcome = process(raw_message(raw), Policy(records=SEGMENT), STATELESS)
    assert isinstance(outcome, Deliver)
    return outcome.record


def record(kind: str = "message.push.clicked", **parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record_bytes(raw_event(kind, **parts)))
    return found


def properties(kind: str = "message.push.clicked", **parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = record(kind, **parts)["properties"]
    return found


def test_the_record_of_the_typical_event() -> None:
    assert record() == {
        "type": "track",
        "event": "Push Clicked",
        "messageId": "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69",
        "userId": "u-1001",
        "timestamp": "2026-01-01T00:00:00.120Z",
        "properties": {
            "event_kind": "message.push.clicked",
            "message_type": "push",
            "messageId": "f3c9a3b1-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "campaign_id": "f3c9a3b1-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "message_name": "new-year",
            "message_title": "Happy new year",
            "message_contents": "Come in and see what is new for you",
            "subscription_type": "iOS",
            "subscription_device_type": "iOS",
            "subscription_id": "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69",
            "onesignal_id": "9e2b64f0-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "language": "en",
            "url": "https://shop.example/new-year",
        },
        "context": {
            "integration": {"name": "onesignal", "version": "1.1.0"},
            "onesignal": {
                "app_id": "7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11",
                "channel": "push",
                "action": "clicked",
                "category": "engagement",
                "mtu": {"segment": "counted", "mixpanel": "counted"},
            },
        },
        "integrations": {"All": True, "OneSignal New": False},
    }


def test_the_bytes_of_a_record_are_one_compact_line() -> None:
    written = record_bytes(raw_event(message={"contents": "two\nlines \u2028 and \u00e9"}))
    assert written.isascii() is False
    assert b"\n" not in written
    assert b'": ' not in written
    assert written.startswith(b'{"type":"track","event":"Push Clicked","messageId":')


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc for the size of a block")
@pytest.mark.parametrize("contents", [100, 1_000, 10_000, 40_000])
def test_a_record_takes_no_more_memory_than_its_bytes(contents: int) -> None:
    usable_size = ctypes.CDLL(None).malloc_usable_size
    usable_size.argtypes, usable_size.restype = [ctypes.c_void_p], ctypes.c_size_t
    built = record_bytes(raw_event(message={"id": "m", "contents": "x" * contents}))
    assert usable_size(id(built)) <= sys.getsizeof(built) + 64


def test_an_anonymous_record_has_the_subscription_as_anonymous_id_and_no_user_id() -> None:
    found = record(external_id="")
    assert found["anonymousId"] == "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"
    assert "userId" not in found


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_its_name_and_message_type(name: str) -> None:
    found = record(name)
    assert found["event"] == ONESIGNAL_NAMES[name]
    assert found["properties"]["event_kind"] == name
    assert found["properties"]["message_type"] == MESSAGE_TYPES[KINDS[name].channel]


def test_message_types_are_spelled_as_on_the_source_page() -> None:
    assert [MESSAGE_TYPES[channel] for channel in (Channel.PUSH, Channel.IN_APP, Channel.EMAIL, Channel.SMS)] == [
        "push",
        "in-app",
        "email",
        "SMS",
    ]
    assert set(MESSAGE_TYPES) == set(Channel)


def test_blank_message_fields_are_left_out() -> None:
    blank = dict.fromkeys(("id", "name", "title", "contents", "template_id", "url"), "")
    white = dict.fromkeys(blank, " \t")
    absent: dict[str, None] = dict.fromkeys(blank)
    for message in (blank, white, absent):
        assert set(properties(message=message)) == {
            "event_kind",
            "message_type",
            "subscription_type",
            "subscription_device_type",
            "subscription_id",
            "onesignal_id",
            "language",
        }


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_other_blank_fields_are_left_out(blank: str | None) -> None:
    found = record(
        subscription_device_type=blank,
        subscription_id=blank,
        onesignal_id=blank,
        app_id=blank,
        user={"language": blank, "onesignal_id": blank},
        data={"page_name": blank, "failure_reason": blank},
    )
    assert set(found["properties"]) == {
        "event_kind",
        "message_type",
        "messageId",
        "campaign_id",
        "message_name",
        "message_title",
        "message_contents",
        "url",
    }
    assert "app_id" not in found["context"]["onesignal"]


def test_an_event_without_message_and_user_has_a_record() -> None:
    bare = {"event": {"kind": "message.push.sent", "external_id": "u-1"}}
    assert set(json.loads(record_bytes(bare))["properties"]) == {"event_kind", "message_type"}


@pytest.mark.parametrize(
    ("title", "language", "text"),
    [
        ("Plain", "de", "Plain"),
        ("{'en':'Flash Sale...'}", "en", "Flash Sale..."),
        ({"en": "Hi", "de": "Hallo"}, "de", "Hallo"),
        ({"en": "Hi", "de": "Hallo"}, "fr", "Hi"),
        ({"en": "Hi", "de": "Hallo"}, "", "Hi"),
        ({"en": "Hi", "de": " "}, "de", "Hi"),
        ({"en": "", "es": "Hola", "de": "Hallo"}, "fr", "Hola"),
        ({"en": None, "de": 5, "es": ["x"], "it": "Ciao"}, "de", "Ciao"),
        ({"en": " "}, "en", None),
        ({}, "en", None),
    ],
)
def test_a_localized_text_becomes_the_one_in_the_users_language(title: object, language: str, text: str | None) -> None:
    found = properties(message={"title": title, "contents": title}, user={"language": language})
    assert (found.get("message_title"), found.get("message_contents")) == (text, text)


def test_what_only_some_kinds_have_is_passed_on() -> None:
    data = {
        "page_name": "Welcome",
        "page_id": "p-1",
        "target_name": "Buy",
        "target_id": "t-1",
        "live_activity_id": "order-7",
        "live_activity_type": "OrderStatus",
    }
    found = properties("message.iam.clicked", data=data)
    assert {name: found[name] for name in data} == data


def test_a_failure_reason_names_nobody() -> None:
    reason = "550 <jo.bloggs@mail.example> +49 151 1234-5678 6f1a0cf2b7d94e0f6f1a0cf2b7d94e0f"
    found = properties("message.email.failed", data={"failure_reason": reason})
    assert found["failure_reason"] == "550 <[removed]> [removed] [removed]"


def test_a_url_loses_what_can_name_a_person() -> None:
    found = properties(message={"url": "https://shop.example/a?email=jo@mail.example#jo"})
    assert found["url"] == "https://shop.example/a"


def test_a_temporary_onesignal_id_is_no_id() -> None:
    assert "onesignal_id" not in properties(onesignal_id="local-9e2b")
    assert properties(onesignal_id="local-9e2b", user={"onesignal_id": "o-2"})["onesignal_id"] == "o-2"


def test_subscription_tokens_are_never_passed_on() -> None:
    for token in ("jo@mail.example", "+4915112345678", "6f1a0cf2b7d94e0f"):
        user = {"subscription": {"subscription_token": token, "id": token}, "email": token, "phone_number": token}
        written = record_bytes(raw_event(user=user, subscription_token=token, email=token))
        assert token.encode() not in written


def test_without_any_time_the_record_has_none() -> None:
    raw = {"event": {"kind": "message.push.sent", "external_id": "u-1"}}
    asked = event("message.push.sent")
    build_record = SEGMENT.builder_of(kind_of("message.push.sent"))
    written = build_record(asked, identify(asked), "m", None, -1)
    assert isinstance(written, bytes)
    assert "timestamp" not in json.loads(written)
    assert "timestamp" in json.loads(record_bytes(raw))


def test_a_record_of_exactly_the_limit_is_left_alone() -> None:
    rest = len(record_bytes(raw_event(message={"contents": "x"}))) - 1
    exact = "x" * (LIMIT - rest)
    written = record_bytes(raw_event(message={"contents": exact}))
    assert len(written) == LIMIT
    assert json.loads(written)["properties"]["message_contents"] == exact


@pytest.mark.parametrize("character", ["x", "é", '"', "\U0001f600", "\u0001"])
def test_contents_are_shortened_first_and_the_title_stays(character: str) -> None:
    written = record_bytes(raw_event(message={"contents": character * 40_000, "title": "Title"}))
    found = json.loads(written)["properties"]
    assert LIMIT - 16 <= len(written) <= LIMIT
    assert found["message_title"] == "Title"
    assert found["message_contents"].endswith("…")


def test_the_title_is_shortened_when_contents_are_not_enough() -> None:
    written = record_bytes(raw_event(message={"contents": "short", "title": "t" * 50_000}))
    found = json.loads(written)["properties"]
    assert "message_contents" not in found
    assert found["message_title"].endswith("t…")
    assert len(written) == LIMIT
    without_contents = record_bytes(raw_event(message={"contents": None, "title": "t" * 50_000}))
    assert len(without_contents) == LIMIT


def test_a_record_that_is_still_too_large_is_rejected() -> None:
    for parts in (
        {"message": {"name": "n" * 40_000}},
        {"message": {"name": "n" * 40_000, "title": "t" * 40_000, "contents": "c" * 40_000}},
        {"external_id": "u" * 40_000},
        {"message": {"name": "n" * 40_000, "title": None, "contents": None}},
    ):
        outcome = process(raw_message(raw_event(**parts)), Policy(records=SEGMENT), STATELESS)
        assert outcome == Reject(KINDS["message.push.clicked"], RejectReason.RECORD_TOO_LARGE)
