from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from yarl import URL

from pipeline.delivery.options import OptionsError
from pipeline.settings.choices import MixpanelRegion
from pipeline.sinks.mixpanel.options import ENDPOINTS
from tests.fakes.mixpanel import TOKEN, options

ACCOUNT: dict[str, Any] = {
    "project_token": None,
    "service_account": "user",
    "service_account_secret": SecretStr("secret"),
    "project_id": "12",
}


def wrong(**changes: Any) -> set[str]:
    with pytest.raises(OptionsError) as raised:
        options(**changes)
    assert TOKEN not in str(raised.value)
    return {mistake.option for mistake in raised.value.mistakes}


def test_every_region_has_an_address() -> None:
    assert set(ENDPOINTS) == set(MixpanelRegion)
    assert {URL(endpoint).path for endpoint in ENDPOINTS.values()} == {"/import"}


def test_a_token_needs_no_project_and_the_check_is_strict() -> None:
    assert dict(URL(options().url).query) == {"strict": "1"}
    assert options().secret.get_secret_value() == TOKEN


def test_a_service_account_names_its_project() -> None:
    chosen = options(**ACCOUNT)
    assert dict(URL(chosen.url).query) == {"strict": "1", "project_id": "12"}
    assert chosen.secret.get_secret_value() == "secret"


@pytest.mark.parametrize("missing", ["service_account", "service_account_secret", "project_id"])
def test_half_of_a_service_account_is_a_mistake(missing: str) -> None:
    assert wrong(**{**ACCOUNT, missing: None}) == {missing}


def test_without_any_credentials_every_part_is_named() -> None:
    assert wrong(project_token=None) == {"service_account", "service_account_secret", "project_id"}


def test_a_token_and_a_service_account_are_a_mistake() -> None:
    assert wrong(project_id="12", service_account="user") == {"service_account", "project_id"}


def test_what_cannot_be_sent_as_a_secret_is_a_mistake() -> None:
    assert wrong(project_token=SecretStr("a b")) == {"project_token"}
    assert wrong(**{**ACCOUNT, "service_account_secret": SecretStr(" a")}) == {"service_account_secret"}


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\n"])
def test_a_user_name_that_cannot_be_sent_is_a_mistake(name: str) -> None:
    assert wrong(**{**ACCOUNT, "service_account": name}) == {"service_account"}


@pytest.mark.parametrize("number", ["", " 12", "12a", "-1", "1.5", "\u0661\u0662"])
def test_a_project_id_is_a_number(number: str) -> None:
    assert wrong(**{**ACCOUNT, "project_id": number}) == {"project_id"}


@pytest.mark.parametrize(("option", "value"), [("max_batch_bytes", 2_000_001), ("max_batch_records", 2_001)])
def test_no_request_is_larger_than_mixpanel_accepts(option: str, value: int) -> None:
    assert wrong(**{option: value}) == {option}


def test_credentials_are_required_before_they_are_used() -> None:
    chosen = options()
    object.__setattr__(chosen, "project_token", None)
    with pytest.raises(ValueError, match="credentials are required"):
        _ = chosen.secret
