from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.settings import Requirement, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = {"PROJECT_TOKEN": "0123456789abcdef0123456789abcdef"}
ACCOUNT = {"SERVICE_ACCOUNT": "pipeline.1a2b3c.mp-service-account", "SERVICE_ACCOUNT_SECRET": "s", "PROJECT_ID": "123"}


def loaded(*requirements: Requirement, **variables: str) -> Settings:
    return load_settings(
        {f"PIPELINE_MIXPANEL_{name}": value for name, value in variables.items()}, requirements=requirements
    )


def mistakes(*requirements: Requirement, **variables: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        loaded(*requirements, **variables)
    return [mistake.text for mistake in raised.value.mistakes]


@pytest.mark.parametrize("credentials", [TOKEN, ACCOUNT])
def test_a_token_or_a_whole_service_account_is_enough(credentials: dict[str, str]) -> None:
    assert loaded(Requirement.MIXPANEL, **credentials).mixpanel.has_credentials


def test_without_credentials_the_sink_names_both_kinds() -> None:
    (text,) = mistakes(Requirement.MIXPANEL)
    for name in ("PROJECT_TOKEN", "PROJECT_TOKEN_FILE", *ACCOUNT):
        assert f"PIPELINE_MIXPANEL_{name}" in text


@pytest.mark.parametrize("missing", ACCOUNT)
def test_half_of_a_service_account_is_refused_by_every_command(missing: str) -> None:
    half = {name: value for name, value in ACCOUNT.items() if name != missing}
    (text,) = mistakes(**half)
    assert text.startswith(f"PIPELINE_MIXPANEL_{missing} is not set: ")
    assert mistakes(Requirement.MIXPANEL, **half) == [text], "and it is not listed a second time as missing"


@pytest.mark.parametrize("part", ACCOUNT)
def test_a_token_and_a_part_of_a_service_account_contradict_each_other(part: str) -> None:
    (text,) = mistakes(**TOKEN, **{part: ACCOUNT[part]})
    assert f"PIPELINE_MIXPANEL_PROJECT_TOKEN and PIPELINE_MIXPANEL_{part} are both set" in text


@pytest.mark.parametrize("secret", ["qqq q", "qqq:q", " qqq", "qqq\n", "qqqü", "qqq\tq"])
@pytest.mark.parametrize("name", ["PROJECT_TOKEN", "SERVICE_ACCOUNT_SECRET"])
def test_what_basic_authentication_cannot_carry_is_refused_and_not_shown(name: str, secret: str) -> None:
    text = mistakes(**{name: secret})[0]
    assert text.startswith(f"PIPELINE_MIXPANEL_{name} is set, but ")
    assert "qqq" not in text


@pytest.mark.parametrize("project_id", ["x1", "-1", "1.5", "1" * 21])
def test_a_project_id_is_a_number(project_id: str) -> None:
    assert any("PROJECT_ID is `" in text for text in mistakes(**{**ACCOUNT, "PROJECT_ID": project_id}))


@pytest.mark.parametrize("address", ["https://api.mixpanel.com", "https://api.mixpanel.com/track"])
def test_an_address_is_that_of_the_import_call(address: str) -> None:
    (text,) = mistakes(ENDPOINT=address)
    assert "/import" in text


def test_an_address_and_a_region_contradict_each_other() -> None:
    (text,) = mistakes(ENDPOINT="https://proxy.example/import", REGION="eu")
    assert text == "PIPELINE_MIXPANEL_ENDPOINT and PIPELINE_MIXPANEL_REGION are both set: keep one."


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("the-secret\n", encoding="utf-8")
    settings = loaded(PROJECT_TOKEN_FILE=str(file))
    assert settings.mixpanel.project_token is not None
    assert settings.mixpanel.project_token.get_secret_value() == "the-secret"
    assert settings.secret_file("mixpanel_project_token") == file


def test_the_rules_of_segment_are_not_those_of_mixpanel() -> None:
    settings = load_settings({"PIPELINE_RULES_PRESET": "engagement-only"})
    assert settings.mixpanel.rules_preset is None


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, ["segment"]),
        ({"PIPELINE_MIXPANEL_REGION": "eu"}, ["mixpanel"]),
        ({"PIPELINE_RULES_PRESET": "keep-all"}, ["segment"]),
        ({"PIPELINE_MIXPANEL_REGION": "eu", "PIPELINE_RULES_PRESET": "keep-all"}, ["segment", "mixpanel"]),
    ],
)
def test_a_destination_is_in_use_when_anything_of_it_is_set(variables: dict[str, str], names: list[str]) -> None:
    assert [own.prefix for own in load_settings(variables).destinations_in_use] == names


def test_the_waits_of_a_destination_that_is_not_in_use_contradict_nothing() -> None:
    short = {"PIPELINE_STALL_TIMEOUT_SECONDS": "20"}
    load_settings(short)
    with pytest.raises(SettingsError, match="PIPELINE_MIXPANEL_REQUEST_TIMEOUT_SECONDS is 30"):
        load_settings({**short, "PIPELINE_MIXPANEL_REGION": "eu"})
