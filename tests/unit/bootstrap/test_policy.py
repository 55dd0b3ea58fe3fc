from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.policy import build_policy
from pipeline.settings import load_settings
from pipeline.settings.mistakes import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = {"PIPELINE_TRACKED_USERS_SECRET": "a secret that is long enough"}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


@pytest.mark.parametrize(
    "text", ["rules: [{when: {action: sent}, then: tracked_only}]", "rules: []\ndefault: tracked_only"]
)
def test_rules_that_ask_who_is_tracked_need_the_secret(text: str, rules: Path) -> None:
    rules.write_text(text)
    named = {"PIPELINE_RULES_FILE": str(rules)}
    with pytest.raises(SettingsError) as refused:
        build_policy(load_settings(named), SEGMENT)
    assert str(refused.value) == f"PIPELINE_TRACKED_USERS_SECRET is not set: `tracked_only` in {rules} needs it."
    assert build_policy(load_settings(named | SECRET), SEGMENT).rules.needs_tracked_users


def test_the_preset_needs_the_secret_too() -> None:
    with pytest.raises(SettingsError, match="`tracked_only` in preset tracked-only needs it"):
        build_policy(load_settings({"PIPELINE_RULES_PRESET": "tracked-only"}), SEGMENT)


def test_a_shadow_decides_nothing_so_it_needs_no_secret(rules: Path) -> None:
    rules.write_text("rules: [{then: tracked_only, shadow: true}]")
    assert not build_policy(load_settings({"PIPELINE_RULES_FILE": str(rules)}), SEGMENT).rules.needs_tracked_users


@pytest.mark.parametrize(
    "variables",
    [
        SECRET,
        {"PIPELINE_BILLING_MONTH_START_DAY": "15"},
        {"PIPELINE_MESSAGE_CATALOGUE": "true"},
        {"PIPELINE_MESSAGE_CATALOGUE": "true", "PIPELINE_MESSAGE_CATALOGUE_DAYS": "30"},
    ],
)
def test_what_is_remembered_and_by_which_month_is_part_of_the_version(variables: dict[str, str]) -> None:
    assert build_policy(load_settings(variables), SEGMENT).version != build_policy(load_settings({}), SEGMENT).version


def test_neither_the_secret_nor_the_days_of_a_catalogue_that_is_off_change_the_version() -> None:
    usual = build_policy(load_settings(SECRET), SEGMENT).version
    other = {"PIPELINE_TRACKED_USERS_SECRET": "another secret, as long", "PIPELINE_MESSAGE_CATALOGUE_DAYS": "30"}
    assert build_policy(load_settings(other), SEGMENT).version == usual
