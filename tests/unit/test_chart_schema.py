from __future__ import annotations

from pathlib import Path

from jsonschema import Draft7Validator

from pipeline.settings.expectations import annotation, secrets
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS
from tests.write_chart_schema import (
    CHARTS_OWN,
    VALUES_SCHEMA,
    VOCABULARY,
    settings_schema,
    values_schema,
    values_schema_text,
    vocabulary_text,
)


def test_the_schema_of_the_charts_values_knows_the_settings_and_rules_of_the_code() -> None:
    assert VALUES_SCHEMA.read_text(encoding="utf-8") == values_schema_text(), "run `make docs`"


def test_the_vocabulary_of_the_templates_is_that_of_the_code() -> None:
    assert VOCABULARY.read_text(encoding="utf-8") == vocabulary_text(), "run `make docs`"


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(values_schema())


def test_what_the_chart_decides_are_settings() -> None:
    assert set(FIELDS) >= CHARTS_OWN


def test_every_setting_is_free_or_decided_or_a_file_or_a_secret() -> None:
    free = {field for field in FIELDS if variable(field) in settings_schema()["properties"]}
    elsewhere = {field for field in FIELDS if annotation(field)[0] is Path or field in secrets()}
    assert free | elsewhere | CHARTS_OWN == set(FIELDS)
    assert free.isdisjoint(elsewhere | CHARTS_OWN)


def test_no_object_accepts_a_key_that_it_does_not_name() -> None:
    def lax(shape: object, path: str) -> list[str]:
        if isinstance(shape, list):
            return [found for part in shape for found in lax(part, path)]
        if not isinstance(shape, dict):
            return []
        here = [path] if "properties" in shape and shape.get("additionalProperties") is not False else []
        parts = {name: part for name, part in shape.items() if name != "if"}  # a condition accepts nothing
        return here + [found for name, part in parts.items() for found in lax(part, f"{path}/{name}")]

    assert lax(values_schema(), "") == []
