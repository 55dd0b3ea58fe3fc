from __future__ import annotations

from typing import ClassVar

import pytest

from pipeline.settings import Settings, load_settings
from pipeline.settings.destination_section import DestinationSettings
from pipeline.settings.sections import FIELDS, REFERENCE, SECTIONS, SETTINGS, nested
from pipeline.settings.segment_section import SegmentSettings


class OtherSettings(DestinationSettings):
    """A further destination."""

    prefix: ClassVar[str] = "other"


def test_the_name_of_a_setting_is_the_prefix_and_the_field() -> None:
    assert OtherSettings.setting("lanes") == "other_lanes"
    assert OtherSettings.setting("processor_group") == "other_processor_group"
    assert SegmentSettings.setting("lanes") == "segment_lanes"
    assert SegmentSettings.setting("processor_group") == "processor_group"


def test_every_setting_is_listed_once_and_is_found_by_its_name() -> None:
    assert len(FIELDS) == len(set(FIELDS))
    assert set(FIELDS) == set(SETTINGS)
    assert [section for section, _ in REFERENCE] == list(SECTIONS)


def test_what_a_destination_lists_elsewhere_is_its_own() -> None:
    names = {SegmentSettings.setting(field) for field in SegmentSettings.model_fields}
    moved = {name for listed in SegmentSettings.listed_before.values() for name in listed}
    assert moved <= names
    assert SegmentSettings.without_prefix <= names
    assert set(SegmentSettings.listed_before) <= set(FIELDS)


def test_every_field_has_a_default_and_a_description() -> None:
    assert not [field for field, described in SegmentSettings.model_fields.items() if described.is_required()]
    assert not [name for name, setting in SETTINGS.items() if not setting.described.description]


@pytest.mark.parametrize(("name", "value"), [("raw_topic", "raw"), ("records_topic", "r"), ("segment_lanes", "7")])
def test_a_value_is_found_by_the_name_of_its_setting(name: str, value: str) -> None:
    settings = load_settings({f"PIPELINE_{name.upper()}": value})
    assert str(settings.value(name)) == value
    assert [field for field in FIELDS if settings.is_set(field)] == [name]
    assert Settings.model_validate(nested({name: value})) == settings
