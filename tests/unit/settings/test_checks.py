from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_text("text", encoding="utf-8")
    return str(path)


def _mistakes(**variables: str) -> list[str]:
    try:
        load_settings({f"PIPELINE_{name}": value for name, value in variables.items()})
    except SettingsError as error:
        return [mistake.text for mistake in error.mistakes]
    return []


def test_sasl_needs_a_user_name_and_a_password() -> None:
    needs = "is not set: PIPELINE_KAFKA_SECURITY_PROTOCOL is `SASL_SSL`, which needs it."
    assert _mistakes(KAFKA_SECURITY_PROTOCOL="SASL_SSL") == [
        f"PIPELINE_KAFKA_SASL_USERNAME {needs}",
        f"PIPELINE_KAFKA_SASL_PASSWORD {needs}",
    ]
    assert _mistakes(KAFKA_SECURITY_PROTOCOL="SASL_SSL", KAFKA_SASL_USERNAME="u", KAFKA_SASL_PASSWORD="p") == []


def test_credentials_without_sasl_would_not_be_used() -> None:
    assert _mistakes(KAFKA_SASL_USERNAME="u") == [
        "PIPELINE_KAFKA_SASL_USERNAME is set, but PIPELINE_KAFKA_SECURITY_PROTOCOL is `PLAINTEXT`: "
        "use `SASL_SSL`, or remove the former."
    ]


def test_certificates_without_tls_would_not_be_used(file: str) -> None:
    assert _mistakes(KAFKA_SSL_CA_FILE=file) == [
        "PIPELINE_KAFKA_SSL_CA_FILE is set, but PIPELINE_KAFKA_SECURITY_PROTOCOL is `PLAINTEXT`: "
        "use `SSL` or `SASL_SSL`, or remove the former."
    ]


REGISTRY = {"SCHEMA_REGISTRY_URL": "http://registry:8081"}


def test_avro_needs_a_registry_or_for_single_objects_a_schema(file: str) -> None:
    assert _mistakes(RAW_FORMAT="auto") == [
        "PIPELINE_SCHEMA_REGISTRY_URL is not set: PIPELINE_RAW_FORMAT is `auto`, which needs a registry, or for single "
        "objects alone a schema in PIPELINE_RAW_SCHEMA_FILE."
    ]
    assert _mistakes(RECORDS_FORMAT="avro") == [
        "PIPELINE_SCHEMA_REGISTRY_URL is not set: PIPELINE_RECORDS_FORMAT is `avro`, which needs a registry."
    ]
    assert _mistakes(RAW_FORMAT="avro", RECORDS_FORMAT="avro", **REGISTRY) == []
    assert _mistakes(RAW_FORMAT="avro", RAW_SCHEMA_FILE=file) == []


def test_a_schema_of_raw_events_is_of_no_use_to_json(file: str) -> None:
    assert _mistakes(RAW_SCHEMA_FILE=file) == [
        "PIPELINE_RAW_SCHEMA_FILE is set, but PIPELINE_RAW_FORMAT is `json`: set the latter to `avro` or `auto`, or "
        "remove the former."
    ]


def test_a_registry_has_an_address_and_both_credentials_or_none(file: str) -> None:
    assert _mistakes(SCHEMA_REGISTRY_CA_FILE=file) == [
        "PIPELINE_SCHEMA_REGISTRY_CA_FILE is set, but PIPELINE_SCHEMA_REGISTRY_URL is not: set the latter too."
    ]
    assert _mistakes(SCHEMA_REGISTRY_USERNAME="u", **REGISTRY) == [
        "PIPELINE_SCHEMA_REGISTRY_PASSWORD is not set: PIPELINE_SCHEMA_REGISTRY_USERNAME is of no use without it."
    ]
    assert _mistakes(SCHEMA_REGISTRY_PASSWORD="p", **REGISTRY) == [
        "PIPELINE_SCHEMA_REGISTRY_USERNAME is not set: PIPELINE_SCHEMA_REGISTRY_PASSWORD is of no use without it."
    ]
    assert _mistakes(SCHEMA_REGISTRY_USERNAME="u", SCHEMA_REGISTRY_PASSWORD="p", **REGISTRY) == []


def test_a_key_needs_its_certificate(file: str) -> None:
    assert _mistakes(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_KEY_FILE=file, KAFKA_SSL_KEY_PASSWORD="p") == [
        "PIPELINE_KAFKA_SSL_CERTIFICATE_FILE is not set: PIPELINE_KAFKA_SSL_KEY_FILE is of no use without it.",
        "PIPELINE_KAFKA_SSL_CERTIFICATE_FILE is not set: PIPELINE_KAFKA_SSL_KEY_PASSWORD is of no use without it.",
    ]


def test_a_certificate_may_hold_its_key_itself(file: str) -> None:
    assert _mistakes(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CERTIFICATE_FILE=file) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("RAW_TOPIC", "RECORDS_TOPIC"), ("RAW_TOPIC", "DEAD_LETTER_TOPIC"), ("RECORDS_TOPIC", "DEAD_LETTER_TOPIC")],
)
def test_two_topics_may_not_be_one(first: str, second: str) -> None:
    assert _mistakes(**{first: "t", second: "t"}) == [
        f"PIPELINE_{first} and PIPELINE_{second} are both `t`: each needs its own topic."
    ]


def test_two_groups_may_not_be_one() -> None:
    assert _mistakes(PROCESSOR_GROUP="g", SEGMENT_SINK_GROUP="g") == [
        "PIPELINE_PROCESSOR_GROUP and PIPELINE_SEGMENT_SINK_GROUP are both `g`: each needs its own consumer group."
    ]


def test_rules_come_from_a_file_or_a_preset(file: str) -> None:
    both = "PIPELINE_RULES_FILE and PIPELINE_RULES_PRESET are both set: keep one."
    assert _mistakes(RULES_FILE=file, RULES_PRESET="keep-all") == [both]
    assert _mistakes(RULES_FILE=file) == []
    assert _mistakes(RULES_PRESET="engagement-only") == []


def test_custom_names_need_their_file_and_the_file_needs_custom_names(file: str) -> None:
    assert _mistakes(NAME_PROFILE="custom") == [
        "PIPELINE_NAMES_FILE is not set: PIPELINE_NAME_PROFILE is `custom`, which takes its names from it."
    ]
    assert _mistakes(NAMES_FILE=file) == [
        "PIPELINE_NAMES_FILE is set, but PIPELINE_NAME_PROFILE is `onesignal`: "
        "set the latter to `custom`, or remove the former."
    ]
    assert _mistakes(NAME_PROFILE="custom", NAMES_FILE=file) == []


def test_segment_is_found_by_region_or_by_endpoint() -> None:
    both = "PIPELINE_SEGMENT_ENDPOINT and PIPELINE_SEGMENT_REGION are both set: keep one."
    assert _mistakes(SEGMENT_ENDPOINT="http://127.0.0.1:1/v1/batch", SEGMENT_REGION="eu") == [both]
    assert _mistakes(SEGMENT_ENDPOINT="http://127.0.0.1:1/v1/batch") == []


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {"SEGMENT_RETRY_BASE_SECONDS": "5", "SEGMENT_RETRY_MAX_SECONDS": "2.5"},
            "PIPELINE_SEGMENT_RETRY_BASE_SECONDS is 5 and PIPELINE_SEGMENT_RETRY_MAX_SECONDS is 2.5: "
            "the first delay may not exceed the last.",
        ),
        (
            {"REVOKE_TIMEOUT_SECONDS": "31"},
            "PIPELINE_REVOKE_TIMEOUT_SECONDS is 31, with 1 s for the last commit, and "
            "PIPELINE_REBALANCE_TIMEOUT_SECONDS is 30: Kafka would drop a member that still gives partitions up, so "
            "lower the former or raise the latter.",
        ),
        (
            {"SEGMENT_REQUEST_TIMEOUT_SECONDS": "61", "STALL_TIMEOUT_SECONDS": "60"},
            "PIPELINE_SEGMENT_REQUEST_TIMEOUT_SECONDS is 61 and PIPELINE_STALL_TIMEOUT_SECONDS is 60: a request "
            "that waits for its answer would look like a stall, so lower the former or raise the latter.",
        ),
        (
            {
                "SEGMENT_FLUSH_INTERVAL_SECONDS": "10",
                "STALL_TIMEOUT_SECONDS": "9",
                "SEGMENT_REQUEST_TIMEOUT_SECONDS": "9",
            },
            "PIPELINE_SEGMENT_FLUSH_INTERVAL_SECONDS is 10 and PIPELINE_STALL_TIMEOUT_SECONDS is 9: records that wait "
            "for their batch would look like a stall, so lower the former or raise the latter.",
        ),
    ],
)
def test_times_that_contradict_are_refused(variables: dict[str, str], text: str) -> None:
    assert _mistakes(**variables) == [text]


def test_the_commit_of_a_revocation_counts_too() -> None:
    assert _mistakes(REVOKE_TIMEOUT_SECONDS="29") == []
    (told,) = _mistakes(REVOKE_TIMEOUT_SECONDS="29.5")
    assert told.startswith("PIPELINE_REVOKE_TIMEOUT_SECONDS is 29.5, with 1 s for the last commit, and ")


SECRET = "a secret that is long enough"


@pytest.mark.parametrize(
    ("kept", "raw", "told"),
    [
        ("912", "168", []),
        ("-1", "-1", []),
        (
            "911",
            "168",
            [
                "PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS is 911: users would be forgotten while raw events of "
                "their month can still be read. Set it to 912 or more: a month of 744, and "
                "PIPELINE_RAW_TOPIC_RETENTION_HOURS of 168."
            ],
        ),
        (
            "936",
            "-1",
            [
                "PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS is 936: PIPELINE_RAW_TOPIC_RETENTION_HOURS is -1, so raw "
                "events of any month can be read again: set the former to `-1` too."
            ],
        ),
    ],
)
def test_users_are_remembered_while_raw_events_of_their_month_can_be_read(kept: str, raw: str, told: list[str]) -> None:
    retention = {"TRACKED_USERS_TOPIC_RETENTION_HOURS": kept, "RAW_TOPIC_RETENTION_HOURS": raw}
    assert _mistakes(**retention, TRACKED_USERS_SECRET=SECRET) == told
    assert _mistakes(**retention) == []


def test_a_feed_of_users_is_of_no_use_where_they_are_not_tracked() -> None:
    assert _mistakes(TRACKED_USERS_FEED_TOPIC="feed") == [
        "PIPELINE_TRACKED_USERS_SECRET is not set: PIPELINE_TRACKED_USERS_FEED_TOPIC is of no use without it."
    ]
    assert _mistakes(TRACKED_USERS_FEED_TOPIC="feed", TRACKED_USERS_SECRET=SECRET) == []


@pytest.mark.parametrize("secret", ["short", "fifteen letters", "  fifteen letters  "])
def test_a_secret_of_tracked_users_is_long_and_never_shown(secret: str) -> None:
    (told,) = _mistakes(TRACKED_USERS_SECRET=secret)
    assert told.startswith("PIPELINE_TRACKED_USERS_SECRET")
    assert "at least 16 characters" in told
    assert secret.strip() not in told


def test_topics_in_which_something_is_remembered_are_topics_of_their_own_where_they_are_in_use() -> None:
    same = {"TRACKED_USERS_TOPIC": "segment.records", "MESSAGE_CATALOGUE_TOPIC": "segment.records"}
    assert _mistakes(**same) == []
    assert _mistakes(**same, TRACKED_USERS_SECRET=SECRET, MESSAGE_CATALOGUE="true") == [
        f"PIPELINE_{one} and PIPELINE_{other} are both `segment.records`: each needs its own topic."
        for one, other in (
            ("RECORDS_TOPIC", "TRACKED_USERS_TOPIC"),
            ("RECORDS_TOPIC", "MESSAGE_CATALOGUE_TOPIC"),
            ("TRACKED_USERS_TOPIC", "MESSAGE_CATALOGUE_TOPIC"),
        )
    ]
    assert _mistakes(TRACKED_USERS_SECRET=SECRET, TRACKED_USERS_FEED_TOPIC="onesignal.tracked-users") == [
        "PIPELINE_TRACKED_USERS_TOPIC and PIPELINE_TRACKED_USERS_FEED_TOPIC are both `onesignal.tracked-users`: "
        "each needs its own topic."
    ]


@pytest.mark.parametrize("day", ["0", "29", "-1", "1.5", "first"])
def test_a_billing_month_begins_on_a_day_that_every_month_has(day: str) -> None:
    (told,) = _mistakes(BILLING_MONTH_START_DAY=day)
    assert told.startswith("PIPELINE_BILLING_MONTH_START_DAY")
    assert _mistakes(BILLING_MONTH_START_DAY="28") == []
