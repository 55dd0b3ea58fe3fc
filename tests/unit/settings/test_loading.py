from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.delivery.options import endpoint_problem
from pipeline.settings import (
    LogLevel,
    Mistake,
    Requirement,
    SecurityProtocol,
    SettingsError,
    load_settings,
)
from pipeline.settings.expectations import expectation, secrets
from pipeline.settings.masking import presentable
from pipeline.settings.mistakes import variable
from pipeline.settings.presentation import effective_settings
from pipeline.settings.sections import FIELDS, SETTINGS, Settings
from pipeline.settings.segment_section import SegmentSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

WRITE_KEY = "Ab1" + "x" * 29
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def _mistakes(environment: Mapping[str, str], requirements: Collection[Requirement] = ()) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(environment, requirements=requirements)
    return [mistake.text for mistake in refused.value.mistakes]


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({})
    assert (settings.raw_topic, settings.segment.records_topic) == ("onesignal.events", "segment.records")
    assert settings == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings({}).http_port = 1  # type: ignore[misc]  # what the test is about


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load_settings({"PATH": "/bin", "KAFKA_HOME": "x"}) == Settings()


def test_an_empty_variable_counts_as_absent() -> None:
    assert load_settings({"PIPELINE_RULES_FILE": "", "PIPELINE_HTTP_PORT": "  "}) == Settings()


def test_spaces_around_a_value_are_not_part_of_it() -> None:
    assert load_settings({"PIPELINE_HTTP_PORT": " 9000\n"}).http_port == 9000


def test_a_choice_may_be_written_in_any_case() -> None:
    settings = load_settings({"PIPELINE_LOG_LEVEL": "WARNING", "PIPELINE_KAFKA_SECURITY_PROTOCOL": "ssl"})
    assert (settings.log_level, settings.kafka_security_protocol) == (LogLevel.WARNING, SecurityProtocol.SSL)


def test_a_misspelt_variable_is_refused_with_the_nearest_name() -> None:
    assert _mistakes({"PIPELINE_LOGLEVEL": "debug"}) == [
        "PIPELINE_LOGLEVEL is not a setting: did you mean PIPELINE_LOG_LEVEL?"
    ]


def test_an_unknown_variable_without_a_near_name_is_refused_too() -> None:
    (text,) = _mistakes({"PIPELINE_BANANA": "1"})
    assert text.startswith("PIPELINE_BANANA is not a setting: remove it")


def test_what_kubernetes_says_about_a_service_of_this_name_is_left_alone() -> None:
    links = {
        "PIPELINE_SERVICE_HOST": "10.0.0.1",
        "PIPELINE_SERVICE_PORT": "8080",
        "PIPELINE_SERVICE_PORT_METRICS": "8080",
        "PIPELINE_PORT": "tcp://10.0.0.1:8080",
        "PIPELINE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "PIPELINE_PORT_8080_TCP_PROTO": "tcp",
        "PIPELINE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PIPELINE_SINK_SERVICE_HOST": "10.0.0.2",
    }
    assert load_settings(links) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("HTTP_PORT", "abc", "PIPELINE_HTTP_PORT is `abc`: give a whole number from 0 to 65535."),
        ("HTTP_PORT", "70000", "PIPELINE_HTTP_PORT is `70000`: give a whole number from 0 to 65535."),
        (
            "LOG_LEVEL",
            "warn",
            "PIPELINE_LOG_LEVEL is `warn`: give one of `debug`, `info`, `warning`, `error`. Did you mean `warning`?",
        ),
        ("SEGMENT_GZIP", "perhaps", "PIPELINE_SEGMENT_GZIP is `perhaps`: give `true` or `false`."),
        ("SESSION_TIMEOUT_SECONDS", "nan", "PIPELINE_SESSION_TIMEOUT_SECONDS is `nan`: give a number from 1 to 1800."),
        ("TOPIC_PARTITIONS", "1.5", "PIPELINE_TOPIC_PARTITIONS is `1.5`: give a whole number from 1 to 10000."),
        (
            "RAW_TOPIC_RETENTION_HOURS",
            "0",
            "PIPELINE_RAW_TOPIC_RETENTION_HOURS is `0`, but it is neither positive nor -1: "
            "give a whole number of hours, or `-1` for ever.",
        ),
        (
            "RAW_TOPIC",
            "my topic",
            "PIPELINE_RAW_TOPIC is `my topic`, but Kafka refuses such a topic name: "
            "give a topic name: at most 249 letters, digits, `.`, `_` and `-`.",
        ),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "kafka-1:9092, kafka-2",
            "PIPELINE_KAFKA_BOOTSTRAP_SERVERS is `kafka-1:9092, kafka-2`, but `kafka-2` is not a broker's address: "
            "give brokers, separated by commas, such as `kafka-1:9092,kafka-2:9092`.",
        ),
        (
            "RULES_FILE",
            "/nowhere/rules.yaml",
            "PIPELINE_RULES_FILE is `/nowhere/rules.yaml`, but there is no such file: "
            "give the path of a file that can be read.",
        ),
        (
            "SEGMENT_WRITE_KEY",
            "abc123",
            "PIPELINE_SEGMENT_WRITE_KEY is set, but it has 6 characters: "
            "give 32 letters and digits, as the source shows them in Segment under Settings, API Keys.",
        ),
    ],
)
def test_a_faulty_value_is_named_with_what_to_give(name: str, value: str, text: str) -> None:
    assert _mistakes({f"PIPELINE_{name}": value}) == [text]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (WRITE_KEY + "\n", "there is a space or a line break around the key"),
        (WRITE_KEY[:31], "it has 31 characters"),
        (WRITE_KEY[:31] + ":", "it has characters other than letters and digits"),
        ("é" * 32, "it has characters other than letters and digits"),
    ],
)
def test_a_write_key_of_the_wrong_shape_is_refused_without_showing_it(key: str, reason: str) -> None:
    (text,) = _mistakes({"PIPELINE_SEGMENT_WRITE_KEY": key})
    assert reason in text
    assert key.strip() not in text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("events.eu1.segmentapis.com", "it is not an address that starts with https:// or http://"),
        ("ftp://x/", "it is not an address that starts with https:// or http://"),
        ("https://", "it is not an address that starts with https:// or http://"),
        ("https:///v1/batch", "it is not an address that starts with https:// or http://"),
        ("https://me:hunter2@proxy/v1", "it holds a user name or password"),
        ("https://me:hun?hunter2@proxy/v1", "it has a `?` or `#` part"),
        ("https://proxy/v1?key=hunter2", "it has a `?` or `#` part"),
        ("https://proxy/v1?mail=a@b&key=hunter2", "it has a `?` or `#` part"),
        ("https://api.segment.io", "the path of the batch call belongs to it"),
        ("https://api.segment.io/", "the path of the batch call belongs to it"),
        ("https://api.segment.io:99999/v1/batch", "its host or its port cannot be used"),
        ("https://api.segment.io:0/v1/batch", "its port is 0"),
        ("https://[::1/v1/batch", "its host or its port cannot be used"),
        ("https://api segment.io/v1/batch", "it does not name a host that can exist"),
        ("https://api..segment.io/v1/batch", "it does not name a host that can exist"),
    ],
)
def test_an_endpoint_that_is_no_plain_address_is_refused_without_its_secrets(address: str, reason: str) -> None:
    (text,) = _mistakes({"PIPELINE_SEGMENT_ENDPOINT": address})
    assert reason in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8080/v1/batch", "http://[::1]:80/b", "https://proxy.example./s", "https://größe.de/s"]
)
def test_an_endpoint_may_be_anywhere(address: str) -> None:
    assert load_settings({"PIPELINE_SEGMENT_ENDPOINT": address}).segment.endpoint == address


@given(
    address=st.one_of(
        st.from_regex(r"https?://[ -~]{0,30}", fullmatch=True),
        st.builds(
            "{}://{}{}{}".format,
            st.sampled_from(["http", "https", "HTTP", "ftp"]),
            st.text("aA0.-_ [:]@é", max_size=8),
            st.sampled_from(["", ":", ":0", ":80", ":99999", ":x"]),
            st.sampled_from(["", "/", "/v1", "//", "/a b", "/?", "/#"]),
        ),
    )
)
@example("http://[]@")
def test_an_endpoint_that_the_settings_take_is_one_that_the_sink_takes(address: str) -> None:
    try:
        taken = load_settings({"PIPELINE_SEGMENT_ENDPOINT": address}).segment.endpoint
    except SettingsError:
        return
    assert taken is not None
    assert endpoint_problem(taken, example="") is None


@pytest.mark.parametrize(
    "value",
    [
        "user:s3cr3t@h:9092",
        "a:1,user:s3cr3t@h:9092",
        "user:s3,cr3t@h:1",
        "S://user:s3cr3t@h:1?x=s3cr3t",
        "S://h?p=s3cr3t",
    ],
)
@pytest.mark.parametrize("name", ["KAFKA_BOOTSTRAP_SERVERS", "SEGMENT_ENDPOINT", "RAW_TOPIC", "HTTP_PORT"])
def test_a_password_in_a_wrong_value_is_not_shown(name: str, value: str) -> None:
    (text,) = _mistakes({f"PIPELINE_{name}": value})
    assert "s3" not in text
    assert "cr3t" not in text
    assert "…" in text


def test_a_path_is_shown_with_its_at_sign_but_an_address_in_its_place_is_not() -> None:
    (text,) = _mistakes({"PIPELINE_RULES_FILE": "/srv/app@2/rules.yaml"})
    assert "`/srv/app@2/rules.yaml`" in text
    (text,) = _mistakes({"PIPELINE_RULES_FILE": "https://me:s3cr3t@h/rules.yaml"})
    assert "s3cr3t" not in text


@pytest.mark.parametrize("servers", ["kafka:9092", "10.0.0.1:9092,10.0.0.2:9093", "[::1]:9092", "a.b-c.example:1"])
def test_brokers_are_named_by_host_and_port(servers: str) -> None:
    assert load_settings({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": servers}).kafka_bootstrap_servers == servers


@pytest.mark.parametrize("servers", ["kafka", "kafka:", ":9092", "kafka:0", "kafka:99999", "kafka:9092,", "ka fka:1"])
def test_anything_else_is_no_broker(servers: str) -> None:
    assert len(_mistakes({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": servers})) == 1


def test_a_folder_is_no_rules_file(tmp_path: Path) -> None:
    (text,) = _mistakes({"PIPELINE_RULES_FILE": str(tmp_path)})
    assert "it is a folder, not a file" in text


def test_a_file_that_the_system_does_not_open_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").symlink_to(tmp_path / "rules.yaml")
    (text,) = _mistakes({"PIPELINE_RULES_FILE": str(tmp_path / "rules.yaml")})
    assert "it cannot be read: Too many levels of symbolic links" in text


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("file", "it is a file, not a folder"),
        ("file/below", "/file` is a file, not a folder"),
        ("x" * 300, "it cannot be used: File name too long"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, folder: str, reason: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (text,) = _mistakes({"PIPELINE_DATA_DIRECTORY": str(tmp_path / folder)})
    assert reason in text


@pytest.mark.parametrize(("folder", "reason"), [(".", "it may not be written"), ("a/b", "it cannot be made in `")])
def test_a_folder_without_permission_is_refused(
    tmp_path: Path, folder: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # the user who runs the tests may write everywhere
    (text,) = _mistakes({"PIPELINE_DATA_DIRECTORY": str(tmp_path / folder)})
    assert reason in text


def test_a_folder_that_is_not_there_yet_is_taken(tmp_path: Path) -> None:
    assert load_settings({"PIPELINE_DATA_DIRECTORY": str(tmp_path / "a/b")}).data_directory == tmp_path / "a/b"
    assert not (tmp_path / "a").exists()


def test_a_very_long_value_is_shown_shortened() -> None:
    (text,) = _mistakes({"PIPELINE_HTTP_PORT": "9" * 5000})
    assert len(text) < 400


def test_every_mistake_is_listed_at_once_in_the_order_of_the_documentation() -> None:
    texts = _mistakes(
        {
            "PIPELINE_HTTP_PORT": "abc",
            "PIPELINE_LOGLEVEL": "debug",
            "PIPELINE_RAW_TOPIC": "a b",
            "PIPELINE_RULES_PRESET": "keepall",
            "PIPELINE_RECORDS_TOPIC": "same",
            "PIPELINE_DEAD_LETTER_TOPIC": "same",
            "PIPELINE_KAFKA_SASL_PASSWORD_FILE": "/nowhere",
            "PIPELINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        },
        tuple(Requirement),
    )
    assert [text.split()[0] for text in texts] == [
        "PIPELINE_KAFKA_SASL_PASSWORD_FILE",
        "PIPELINE_LOGLEVEL",
        "PIPELINE_RAW_TOPIC",
        "PIPELINE_RULES_PRESET",
        "PIPELINE_HTTP_PORT",
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS",
        "PIPELINE_SEGMENT_WRITE_KEY",
        "PIPELINE_MIXPANEL_PROJECT_TOKEN",
        "PIPELINE_KAFKA_SASL_USERNAME",
        "PIPELINE_RECORDS_TOPIC",
    ]


def test_a_faulty_value_is_not_reported_a_second_time_as_missing() -> None:
    assert len(_mistakes({"PIPELINE_SEGMENT_WRITE_KEY": "short"}, [Requirement.SEGMENT])) == 1


def test_a_secret_is_shown_nowhere() -> None:
    settings = load_settings({"PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY})
    assert WRITE_KEY not in f"{settings!r} {settings!s} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_says_what_it_accepts_and_what_it_means(field: str) -> None:
    assert expectation(field)
    description = SETTINGS[field].described.description
    assert description is not None
    assert description.endswith(".")


@given(field=st.sampled_from(FIELDS), value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_any_text_is_taken_or_refused_in_words_that_name_the_variable(field: str, value: str) -> None:
    mistakes: tuple[Mistake, ...] = ()
    try:
        load_settings({variable(field): value})
    except SettingsError as error:
        mistakes = error.mistakes
    assert all(variable(field) in mistake.text for mistake in mistakes)


def test_the_secrets_are_known() -> None:
    assert secrets() == (
        "kafka_sasl_password",
        "kafka_ssl_key_password",
        "schema_registry_password",
        "tracked_users_secret",
        "segment_write_key",
        "mixpanel_project_token",
        "mixpanel_service_account_secret",
    )


def test_of_thousands_of_unknown_variables_the_first_are_named_and_the_others_counted() -> None:
    found = _mistakes({f"PIPELINE_NO_SETTING_{number:04}": "x" for number in range(5_000)})
    assert len(found) == 21
    assert found[19].startswith("PIPELINE_NO_SETTING_0019 is not a setting")
    assert found[20] == "4,980 more variables are no settings."


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (KEY, "it holds a key or a certificate itself"),
        (KEY.replace("\n", " "), "it holds a key or a certificate itself"),
        ("/mnt/rules\nMIIEvQIBADANBg", "it has a line break"),
        ("/mnt/rules\u2028MIIEvQIBADANBg", "it has a line break"),
        ("/mnt/MIIEvQIBADANBg\udcff", "it is not UTF-8 text"),
        ("/mnt/MIIEvQIBADANBg\x1b[2J", "it has a character that cannot be seen"),
        ("/mnt/MIIEvQIBADANBg\u202e", "it has a character that cannot be seen"),
    ],
)
@pytest.mark.parametrize("name", ["RULES_FILE", "KAFKA_SSL_KEY_FILE", "DATA_DIRECTORY", "RAW_TOPIC", "HTTP_PORT"])
def test_a_value_that_may_be_a_key_is_shown_nowhere(name: str, value: str, reason: str) -> None:
    (told,) = _mistakes({f"PIPELINE_{name}": value})
    assert told.startswith(f"PIPELINE_{name} is set, but {reason}: give ")
    assert "MIIEvQIBADANBg" not in told


@pytest.mark.parametrize("name", ["RULES_FILE", "KAFKA_SSL_KEY_FILE", "SEGMENT_WRITE_KEY_FILE"])
def test_the_body_of_a_key_in_the_place_of_a_path_is_not_shown(name: str) -> None:
    (told,) = _mistakes({f"PIPELINE_{name}": "/MIIEvQIBADANBg" * 20})
    assert told.startswith(f"PIPELINE_{name} is ")
    assert "MIIEvQIBADANBg" not in told


def test_settings_that_hold_a_key_all_the_same_are_not_shown() -> None:
    lines = {
        line.variable: line.value for line in effective_settings(Settings(segment=SegmentSettings(processor_group=KEY)))
    }
    assert lines["PIPELINE_PROCESSOR_GROUP"] == "(not shown)"
    assert lines["PIPELINE_SEGMENT_SINK_GROUP"] == "onesignal-pipeline-segment-sink"


def test_what_is_in_a_value_that_is_refused_is_not_shown_either() -> None:
    assert presentable(f"kafka:9092,{KEY}") == "(not shown)"


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "fe80::1%eth0", "localhost", "status.example."])
def test_the_status_port_may_be_on_any_host(host: str) -> None:
    assert load_settings({"PIPELINE_HTTP_HOST": host}).http_host == host


@pytest.mark.parametrize("host", ["a..b", ".", "a b", "-a", "\u00fc", "a" * 64, "a." * 127 + "a"])
def test_a_host_that_no_name_server_can_know_is_refused(host: str) -> None:
    assert "no host can have this name" in str(_mistakes({"PIPELINE_HTTP_HOST": host}))
    assert "is not a broker's address" in str(_mistakes({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": f"{host}:9092"}))


def test_a_text_is_bounded() -> None:
    assert "text of at most 1,000 characters" in str(_mistakes({"PIPELINE_SCHEMA_REGISTRY_USERNAME": "u" * 1_001}))
