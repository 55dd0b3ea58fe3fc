from __future__ import annotations

import re

import pytest

from pipeline.cli.main import ExitCode, cli
from pipeline.core.presets import Preset
from pipeline.core.rules import Condition
from pipeline.core.rules_file import parse_rules
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS
from tests.readme import README, with_settings

TEXT = README.read_text(encoding="utf-8")


def test_the_settings_are_those_of_the_code() -> None:
    assert with_settings(TEXT) == TEXT, "run `make docs`"


def test_every_variable_in_the_text_is_a_setting() -> None:
    named = set(re.findall(r"\bPIPELINE_[A-Z_]+[A-Z]\b", TEXT))
    known = {variable(field) for field in FIELDS}
    assert named - known <= {f"{name}_FILE" for name in known}


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_rules_example_is_valid_and_each_of_its_rules_can_match(example: str) -> None:
    assert parse_rules(example, filename="README.md").warnings == ()


def test_every_command_in_the_text_exists() -> None:
    named = set(re.findall(r"onesignal-pipeline ([a-z]+(?:-[a-z]+)*)", TEXT))
    assert named <= set(cli.commands)
    assert named >= set(cli.commands) - {"demo"}


def test_every_condition_preset_and_exit_code_is_told() -> None:
    assert [condition for condition in Condition if f"`{condition}`" not in TEXT] == []
    assert [preset for preset in Preset if f"`{preset}`" not in TEXT] == []
    exit_codes = TEXT.partition("Exit codes:")[2].splitlines()[0]
    assert [code for code in ExitCode if f" {code.value} " not in exit_codes] == []
