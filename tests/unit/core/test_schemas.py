from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator
from msgspec.structs import fields

from pipeline.core.classification import Destination, MtuClass
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.limits import EARLIEST_MS
from pipeline.core.destinations.mixpanel.record import DetailedProperties
from pipeline.core.destinations.segment.record import Properties, Track
from pipeline.core.kinds import SPELLINGS, Action, Category, Channel
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.core.record_values import MESSAGE_TYPES
from pipeline.core.rules_mistakes import EXPLAINED_KEYWORDS
from pipeline.core.rules_schema import rules_schema
from tests.builders import SEGMENT, raw_message
from tests.write_rules_schema import RULES_SCHEMA, rules_schema_text

if TYPE_CHECKING:
    from pipeline.core.record_builders import RecordBuilders

SCHEMAS = Path(__file__).parents[3] / "schemas"
EXAMPLES = ("raw-event", "segment-record", "mixpanel-record")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def examples(name: str, side: str) -> list[Any]:
    paths = sorted((SCHEMAS / name / side).glob("*.json"))
    return [pytest.param(name, load(path), id=f"{name}-{path.stem}") for path in paths]


def is_valid(name: str, example: object) -> bool:
    return Draft7Validator(load(SCHEMAS / f"{name}.schema.json")).is_valid(example)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.schema.json")), ids=lambda path: path.stem)
def test_a_schema_is_itself_valid(path: Path) -> None:
    Draft7Validator.check_schema(load(path))


@pytest.mark.parametrize(("name", "example"), [case for name in EXAMPLES for case in examples(name, "valid")])
def test_a_valid_example_is_valid(name: str, example: object) -> None:
    assert is_valid(name, example)


@pytest.mark.parametrize(
    ("name", "example"),
    [case for name in EXAMPLES for case in examples(name, "invalid")],
)
def test_an_invalid_example_is_not(name: str, example: object) -> None:
    assert not is_valid(name, example)


@pytest.mark.parametrize(("schema", "records"), [("segment-record", SEGMENT), ("mixpanel-record", MixpanelRecords())])
@pytest.mark.parametrize(("name", "event"), examples("raw-event", "valid"))
def test_a_valid_raw_event_becomes_a_valid_record(
    name: str, event: dict[str, Any], schema: str, records: RecordBuilders
) -> None:
    outcome = process(raw_message(event), Policy(records=records), STATELESS)
    assert isinstance(outcome, Deliver), name
    assert is_valid(schema, json.loads(outcome.record))


def test_the_rules_schema_is_the_one_in_the_code() -> None:
    written = RULES_SCHEMA.read_text(encoding="utf-8")
    assert written == rules_schema_text(), "write it again: python -m tests.write_rules_schema"


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("rules/valid/*.yaml")), ids=lambda path: path.stem)
def test_an_editor_agrees_with_the_valid_rules(path: Path) -> None:
    class AsWritten(yaml.SafeLoader):
        """Loads scalars as YAML 1.2 does, without further booleans."""

    AsWritten.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool") or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    text = path.read_text(encoding="utf-8")
    assert Draft7Validator(rules_schema()).is_valid(yaml.load(text, AsWritten))  # noqa: S506 -- a SafeLoader


def keywords(schema: object) -> set[str]:
    if isinstance(schema, list):
        return {word for item in schema for word in keywords(item)}
    if not isinstance(schema, dict):
        return set()
    found = set(schema) - {"properties"}
    for key, value in schema.items():
        found |= (
            {word for item in value.values() for word in keywords(item)} if key == "properties" else keywords(value)
        )
    return found


def test_every_keyword_of_the_rules_schema_is_put_into_words() -> None:
    silent = {"$schema", "title", "description", "properties", "items", "if", "then", "else"}
    assert keywords(rules_schema()) - silent == EXPLAINED_KEYWORDS


def test_the_record_schema_knows_the_fields_and_words_of_the_code() -> None:
    schema = load(SCHEMAS / "segment-record.schema.json")
    assert set(schema["properties"]) == {"type", *Track.__struct_fields__}
    properties = schema["properties"]["properties"]["properties"]
    assert list(properties) == list(Properties.__struct_fields__)
    assert properties["message_type"]["enum"] == sorted(MESSAGE_TYPES.values())
    onesignal = schema["properties"]["context"]["properties"]["onesignal"]["properties"]
    assert onesignal["channel"]["enum"] == [channel.value for channel in Channel]
    assert onesignal["action"]["enum"] == [action.value for action in Action]
    assert onesignal["category"]["enum"] == [category.value for category in Category]
    assert list(onesignal["mtu"]["properties"]) == [destination.value for destination in Destination]
    assert onesignal["mtu"]["properties"]["segment"]["enum"] == [mtu.value for mtu in MtuClass]


def test_mixpanels_record_schema_knows_the_fields_and_words_of_the_code() -> None:
    schema = load(SCHEMAS / "mixpanel-record.schema.json")["properties"]["properties"]
    assert list(schema["properties"]) == [field.encode_name for field in fields(DetailedProperties)]
    assert schema["required"] == [field.encode_name for field in fields(DetailedProperties) if field.required]
    assert schema["properties"]["message_type"]["enum"] == sorted(MESSAGE_TYPES.values())
    assert schema["properties"]["time"]["minimum"] == EARLIEST_MS


def test_the_raw_event_schema_knows_every_spelling_of_a_kind() -> None:
    schema = load(SCHEMAS / "raw-event.schema.json")
    assert schema["properties"]["event"]["properties"]["kind"]["enum"] == sorted(SPELLINGS)
