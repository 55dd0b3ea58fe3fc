from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import fields

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.identity import AnonymousId
from pipeline.core.destinations.mixpanel.limits import DISALLOWED_IDS, EARLIEST_MS, LATEST_MS, MAX_RECORD_BYTES
from pipeline.core.destinations.mixpanel.record import DetailedProperties, ImportedEvent
from pipeline.core.destinations.segment.record import Properties as SegmentProperties
from pipeline.core.identity import NOBODY, Identity, identify
from pipeline.core.kinds import KINDS
from pipeline.core.outcomes import Deliver, Outcome, Reject, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.core.record_bytes import record_bytes
from tests.builders import STORED_AT, RawMessage, encode, raw_event
from tests.unit.core.filtering import event

if TYPE_CHECKING:
    from tests.builders import Event

SUBSCRIPTION = "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69"
DEFAULT = MixpanelRecords()
AS_SUBSCRIPTION = MixpanelRecords(anonymous_id=AnonymousId.SUBSCRIPTION)
WITH_DEVICE = MixpanelRecords(send_device_id=True)


def outcome_of(raw: Event, records: MixpanelRecords = DEFAULT, stored: int = STORED_AT) -> Outcome:
    return process(RawMessage(value=encode(raw), timestamp=stored), Policy(records=records), STATELESS)


def record_of(raw: Event, records: MixpanelRecords = DEFAULT, stored: int = STORED_AT) -> dict[str, Any]:
    outcome = outcome_of(raw, records, stored)
    assert isinstance(outcome, Deliver)
    found: dict[str, Any] = json.loads(outcome.record)
    return found


def properties(
    kind: str = "message.push.clicked",
    records: MixpanelRecords = DEFAULT,
    stored: int = STORED_AT,
    **parts: Any,
) -> dict[str, Any]:
    found: dict[str, Any] = record_of(raw_event(kind, **parts), records, stored)["properties"]
    return found


def test_the_record_of_the_typical_event() -> None:
    assert record_of(raw_event()) == {
        "event": "$app_open",
        "properties": {
            "time": 1_767_225_600_120,
            "distinct_id": "u-1001",
            "$user_id": "u-1001",
            "$insert_id": "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "event_kind": "message.push.clicked",
            "message_type": "push",
            "$source": "onesignal",
            "ip": 0,
            "Message ID": "f3c9a3b1-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "Message Name": "new-year",
            "Message Title": "Happy new year",
            "Message Contents": "Come in and see what is new for you",
            "subscription_id": SUBSCRIPTION,
            "device_type": "iOS",
            "language": "en",
            "onesignal_id": "9e2b64f0-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "app_id": "7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11",
            "url": "https://shop.example/new-year",
        },
    }


RESERVED = {
    *("$ignore", "bucket", "$bucket", "token", "ip", "time", "$time", "distinct_id", "$distinct_id", "$device_id"),
    *("$user_id", "$event_name", "$insert_id", "alias", "$identified_id", "$anon_id", "$distinct_ids", "$source"),
    *("$partner_id", "$import", "$duration_s", "$event_count", "$origin_start", "$origin_end", "mp_lib"),
    *("$lib_version", "mp_country_code", "$city", "$region", "$identity_failure_reason"),
}
RESERVED_BEGINNINGS = ("$warehouse_", "mp_original_", "$failure_", "$", "mp_")
MEANT = {"time", "distinct_id", "$insert_id", "$user_id", "$device_id", "$source", "ip"}


def test_of_the_reserved_properties_only_those_that_we_mean_are_sent() -> None:
    """Guard against trap 6: `$ignore` drops the event and `bucket` hides others."""
    sent = {field.encode_name for field in fields(DetailedProperties)}
    assert sent & RESERVED == MEANT
    assert {name for name in sent if name.startswith(RESERVED_BEGINNINGS)} <= MEANT


ONESIGNALS_NAMES = {
    "messageId": "Message ID",
    "campaign_id": "Message ID",
    "message_name": "Message Name",
    "message_title": "Message Title",
    "message_contents": "Message Contents",
    "subscription_type": "device_type",
    "subscription_device_type": "device_type",
}


def test_the_list_has_every_property_of_segment_by_onesignals_name_or_by_segments() -> None:
    segments = {field.encode_name for field in fields(SegmentProperties)}
    sent = {field.encode_name for field in fields(DetailedProperties)}
    assert sent == {ONESIGNALS_NAMES.get(name, name) for name in segments} | MEANT | {"app_id"}


def test_tags_and_other_keys_of_the_user_are_not_sent() -> None:
    tags = {"$ignore": True, "bucket": "b", "token": "t"}
    found = properties(user={"tags": tags, "bucket": "b"}, data={"$ignore": "1"}, message={"bucket": "b"}, bucket="b")
    assert not {"$ignore", "bucket", "token", "tags"} & set(found)
    assert "plan" not in properties(user={"tags": {"plan": "premium"}})


def test_the_address_is_always_zero() -> None:
    """Guard against trap 5: without `ip` every user would move to our data centre."""
    assert properties(ip="192.0.2.1", user={"ip": "192.0.2.1"})["ip"] == 0


# ---- identity


def test_a_known_user_is_named_without_a_device() -> None:
    """Guard against trap 8: both ids in one event merge user and device for ever."""
    found = properties()
    assert (found["distinct_id"], found["$user_id"], found.get("$device_id")) == ("u-1001", "u-1001", None)


def test_the_device_of_a_known_user_is_sent_if_so_set_and_known() -> None:
    found = properties(records=WITH_DEVICE)
    assert (found["distinct_id"], found["$user_id"], found["$device_id"]) == ("u-1001", "u-1001", SUBSCRIPTION)
    assert "$device_id" not in properties(records=WITH_DEVICE, subscription_id="")
    assert "$device_id" not in properties(records=WITH_DEVICE, subscription_id="s" * 256)


@pytest.mark.parametrize("records", [DEFAULT, WITH_DEVICE])
def test_an_anonymous_user_is_a_device(records: MixpanelRecords) -> None:
    found = properties(records=records, external_id="")
    assert found["distinct_id"] == f"$device:{SUBSCRIPTION}"
    assert (found["$device_id"], found["subscription_id"]) == (SUBSCRIPTION, SUBSCRIPTION)
    assert "$user_id" not in found


def test_an_anonymous_user_is_the_bare_subscription_if_so_set() -> None:
    found = properties(records=AS_SUBSCRIPTION, external_id="")
    assert found["distinct_id"] == SUBSCRIPTION
    assert not {"$user_id", "$device_id"} & set(found)


@pytest.mark.parametrize("records", [DEFAULT, AS_SUBSCRIPTION])
def test_an_event_about_nobody_is_rejected(records: MixpanelRecords) -> None:
    """Guard against trap 4: without `distinct_id` our server would become one user."""
    kind = KINDS["message.push.clicked"]
    nobody = raw_event(external_id="", subscription_id="")
    assert outcome_of(nobody, records) == Reject(kind, RejectReason.NO_USER)
    asked = event()
    assert records.builder_of(kind)(asked, NOBODY, "m", None, STORED_AT) is RejectReason.NO_USER


@pytest.mark.parametrize("records", [DEFAULT, AS_SUBSCRIPTION, WITH_DEVICE])
@pytest.mark.parametrize("spelled", [str, str.upper])
@pytest.mark.parametrize("text", sorted(DISALLOWED_IDS))
def test_a_disallowed_id_is_never_anybodys(text: str, spelled: Any, records: MixpanelRecords) -> None:
    id_ = spelled(text)
    found = properties(records=records, external_id=id_)
    assert found["distinct_id"] in {f"$device:{SUBSCRIPTION}", SUBSCRIPTION}
    assert found.get("$device_id", SUBSCRIPTION) == SUBSCRIPTION
    nobody = outcome_of(raw_event(external_id=id_, subscription_id=id_), records)
    assert isinstance(nobody, Reject)
    assert nobody.reason is RejectReason.NO_USER


@pytest.mark.parametrize(
    ("records", "ids", "longest"),
    [
        (DEFAULT, {"external_id": "é"}, 255),
        (DEFAULT, {"external_id": "", "subscription_id": "s"}, 247),
        (AS_SUBSCRIPTION, {"external_id": "", "subscription_id": "s"}, 255),
    ],
)
def test_a_longer_user_id_is_rejected_because_cut_ids_would_merge_users(
    records: MixpanelRecords, ids: dict[str, Any], longest: int
) -> None:
    kept = raw_event(**{name: text * longest for name, text in ids.items()})
    assert len(record_of(kept, records)["properties"]["distinct_id"]) == 255
    too_long = raw_event(**{name: text * (longest + 1) for name, text in ids.items()})
    assert outcome_of(too_long, records) == Reject(KINDS["message.push.clicked"], RejectReason.USER_ID_TOO_LONG)


# ---- time


OWN = 1_767_225_600_120


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (STORED_AT, OWN),
        (OWN, OWN),
        (OWN - 1, OWN - 1),
        (-1, OWN),
        (0, OWN),
        (EARLIEST_MS - 1, OWN),
        (EARLIEST_MS, EARLIEST_MS),
        (LATEST_MS + 1, OWN),
        (2**62, OWN),
    ],
)
def test_the_time_is_never_later_than_kafkas(stored: int, expected: int) -> None:
    """Guard against trap 7: a time that is ahead would be rewritten, and break the removal of duplicates."""
    assert properties(stored=stored)["time"] == expected


@pytest.mark.parametrize("written", ["1970-12-31T23:59:59.999Z", "1970-01-01T00:00:00.001Z", "", "soon"])
def test_a_time_before_1971_counts_as_absent(written: str) -> None:
    timeless = raw_event(timestamp=None, datetime=written)
    assert record_of(timeless)["properties"]["time"] == STORED_AT
    for stored in (-1, 0, EARLIEST_MS - 1, 2**62):
        assert outcome_of(timeless, stored=stored) == Reject(KINDS["message.push.clicked"], RejectReason.NO_TIME)


@pytest.mark.parametrize(
    ("timestamp", "written", "expected"),
    [
        (1_767_225_600, None, 1_767_225_600_000),
        (1_767_225_600_500, None, 1_767_225_600_500),
        (None, "2026-01-01T01:00:00.007+01:00", 1_767_225_600_007),
        (5, "2026-01-01T00:00:00.120Z", OWN),
        ("1767225600", "2026-01-01T00:00:00.120Z", OWN),
        (1_767_225_599, "2026-01-01T00:00:00.120Z", OWN),
        (None, "1971-01-01T00:00:00.000Z", EARLIEST_MS),
    ],
)
def test_the_time_is_the_same_that_segment_gets(timestamp: object, written: str | None, expected: int) -> None:
    assert properties(timestamp=timestamp, datetime=written)["time"] == expected


def test_a_redelivery_has_the_same_bytes() -> None:
    raw = raw_event(timestamp=None, datetime="9999-01-01T00:00:00Z")
    assert outcome_of(raw) == outcome_of(raw)


# ---- values


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Message Name", {"message": {"name": "{}"}}),
        ("Message Title", {"message": {"title": "{}"}}),
        ("Message Contents", {"message": {"contents": {"en": "{}"}}}),
        ("device_type", {"subscription_device_type": "{}"}),
        ("language", {"user": {"language": "{}"}}),
        ("url", {"message": {"url": "https://shop.example/{}"}}),
        ("page_name", {"data": {"page_name": "{}"}}),
        ("target_name", {"data": {"target_name": "{}"}}),
        ("failure_reason", {"data": {"failure_reason": "{}"}}),
        ("live_activity_type", {"data": {"live_activity_type": "{}"}}),
        ("live_activity_event_kind", {"message": {"live_activity_event_kind": "{}"}}),
    ],
)
@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", '"'])
def test_texts_are_cut_to_255_characters_and_no_character_is_split(
    name: str, parts: dict[str, Any], character: str
) -> None:
    text = (character + " ") * 200
    found = record_of(_filled(parts, text))["properties"][name]
    assert len(found) == 255
    assert (f"https://shop.example/{text}" if name == "url" else text).startswith(found)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Message ID", {"message": {"id": "{}"}}),
        ("template_id", {"message": {"template_id": "{}"}}),
        ("subscription_id", {"subscription_id": "{}"}),
        ("onesignal_id", {"onesignal_id": "{}"}),
        ("app_id", {"app_id": "{}"}),
        ("page_id", {"data": {"page_id": "{}"}}),
        ("target_id", {"data": {"target_id": "{}"}}),
        ("live_activity_id", {"data": {"live_activity_id": "{}"}}),
    ],
)
def test_two_ids_never_become_equal_by_cutting(name: str, parts: dict[str, Any]) -> None:
    assert record_of(_filled(parts, "i" * 255))["properties"][name] == "i" * 255
    assert name not in record_of(_filled(parts, "i" * 256))["properties"]


def _filled(parts: dict[str, Any], text: str) -> Event:
    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(each) for key, each in value.items()}
        return value.replace("{}", text)

    return raw_event(**fill(parts))


def test_what_only_some_kinds_have_is_a_property_too() -> None:
    data = {"page_name": "Intro", "page_id": "p1", "target_name": "Start", "target_id": "t1"}
    found = properties("message.iam.clicked", data=data)
    assert data.items() <= found.items()
    assert not set(data) & set(properties())


def test_no_record_is_larger_than_the_bound() -> None:
    worst = "\x01" * 255  # six bytes each in JSON
    values: dict[str, Any] = {
        field.name: -(2**63) if field.type is int else worst for field in fields(DetailedProperties)
    }
    widest = DetailedProperties(**values)
    assert len(record_bytes(ImportedEvent(worst, widest))) <= MAX_RECORD_BYTES
    huge = "\x01" * 300
    asked = event(
        message={"name": huge, "title": huge, "contents": huge, "url": huge},
        data={"page_name": huge, "failure_reason": huge},
        user={"language": huge},
    )
    built = DEFAULT.builder_of(KINDS["message.iam.clicked"])(asked, identify(asked), "m", None, STORED_AT)
    assert isinstance(built, bytes)
    assert len(built) <= MAX_RECORD_BYTES


def test_an_id_that_only_the_caller_knows_is_used_as_it_is() -> None:
    asked = event()
    built = DEFAULT.builder_of(KINDS["message.push.sent"])(asked, Identity("u-7", None), "m-7", None, STORED_AT)
    assert isinstance(built, bytes)
    found = json.loads(built)["properties"]
    assert (found["distinct_id"], found["$insert_id"], found["time"]) == ("u-7", "m-7", STORED_AT)
