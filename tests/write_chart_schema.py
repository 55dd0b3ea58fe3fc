"""Write what the code defines into the schema of the chart's values: ``make docs``; a test compares it.

Settings with values of their own in the chart, and those that name files in a pod, are not in `settings`.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import yaml

from pipeline.core.destinations.mixpanel.names import ALLOWED_DOLLAR_NAMES
from pipeline.core.kinds import SPELLINGS
from pipeline.core.names_file import MAX_NAME_CHARACTERS
from pipeline.core.presets import Preset
from pipeline.core.rules_schema import rules_schema
from pipeline.core.yaml_document import MAX_FILE_CHARACTERS
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import annotation, choices, secrets
from pipeline.settings.mistakes import PREFIX, variable
from pipeline.settings.sections import FIELDS, SECTIONS, SETTINGS
from pipeline.settings.values import Expected, Hours, Text, Topic, Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHART: Final = Path(__file__).parents[1] / "deploy" / "helm" / "onesignal-pipeline"
VALUES_SCHEMA: Final = CHART / "values.schema.json"
VOCABULARY: Final = CHART / "vocabulary.yaml"
CHARTS_OWN: Final = frozenset(
    {
        "data_directory",
        "dead_letter_topic",
        "dead_letter_topic_partitions",
        "dead_letter_topic_retention_hours",
        "http_port",
        "kafka_bootstrap_servers",
        "kafka_sasl_mechanism",
        "kafka_sasl_username",
        "kafka_security_protocol",
        "kafka_ssl_check_hostname",
        "mixpanel_endpoint",
        "mixpanel_max_records_per_second",
        "mixpanel_max_requests_per_second",
        "mixpanel_processor_group",
        "mixpanel_project_id",
        "mixpanel_records_topic",
        "mixpanel_records_topic_retention_hours",
        "mixpanel_region",
        "mixpanel_rules_preset",
        "mixpanel_service_account",
        "mixpanel_sink_group",
        "name_profile",
        "processor_group",
        "raw_format",
        "raw_topic",
        "raw_topic_retention_hours",
        "records_format",
        "records_topic",
        "records_topic_retention_hours",
        "rules_preset",
        "schema_registry_subject_names",
        "schema_registry_url",
        "schema_registry_username",
        "segment_endpoint",
        "segment_max_records_per_second",
        "segment_max_requests_per_second",
        "segment_region",
        "segment_sink_group",
        "shutdown_timeout_seconds",
        "topic_compression",
        "topic_partitions",
        "topic_replication_factor",
    }
)
"""Settings that are derived from other values of the chart."""
_JSON_TYPES: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BOUNDS: Final = ("minimum", "maximum", "minLength", "maxLength")
_NOT_BLANK: Final = {"type": "string", "pattern": r"\S"}
# Each word has a character that remains when quotes, brackets and spaces are removed.
_LETTERS: Final = "0-9A-Za-z\u00c0-\u1fff\u3040-\ud7ff"
_WORD: Final = rf"[^,]*[{_LETTERS}_.:@+/|~!#$%&*;=?^\\-][^,]*"
_BY_TYPE: Final[Mapping[str, Mapping[str, Any]]] = {
    expected.words: shape
    for alias, shape in (
        (Topic, {"$ref": "#/definitions/topic"}),
        (Hours, {"$ref": "#/definitions/hours"}),
        (Text, _NOT_BLANK),
        (Words, {"type": "string", "pattern": rf"^\s*({_WORD}(,{_WORD})*)?$"}),
    )
    for expected in get_args(alias)
    if isinstance(expected, Expected)
}
"""What the program checks by its own code, with the words of its error message."""
_MIXPANEL_NAME: Final = rf"^(\s*[^$\s]|({'|'.join(re.escape(name) for name in sorted(ALLOWED_DOLLAR_NAMES))})$)"
_FOR_PEOPLE: Final = frozenset({"$schema", "title", "description"})


class _WithoutAnchors(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def settings_schema() -> dict[str, Any]:
    """Return the schema of `settings`: each variable with its bounds and its meaning."""
    shapes = {section: section.model_json_schema()["properties"] for section in SECTIONS}
    own = {name: shapes[setting.section][setting.field] for name, setting in SETTINGS.items()}
    free = [field for field in FIELDS if field not in CHARTS_OWN and field not in secrets()]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            variable(field): _shape(field, own[field]) for field in free if annotation(field)[0] is not Path
        },
    }


def values_schema() -> dict[str, Any]:
    """Return the schema with the parts that the code defines."""
    schema: dict[str, Any] = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    schema["definitions"]["rulesSource"]["properties"]["preset"]["enum"] = ["", *Preset]
    schema["definitions"]["names"] = _custom_names()
    schema["definitions"]["mixpanelNames"] = _custom_names(pattern=_MIXPANEL_NAME)
    schema["definitions"]["settings"] = settings_schema()
    schema["definitions"]["secretSettings"] = _secret_settings()
    schema["definitions"]["extraEnv"] = _extra_environment()
    schema["definitions"]["rules"] = _quoted({name: part for name, part in rules_schema().items() if name != "$schema"})
    return schema


def vocabulary_text() -> str:
    """Return what the templates know about rules files, to compare `rules.text` with."""
    vocabulary = {"mostCharacters": MAX_FILE_CHARACTERS, "shape": _bare(rules_schema())}
    head = "# What a rules file may contain; generated by `make docs` from the code.\n"
    return head + yaml.dump(vocabulary, sort_keys=False, Dumper=_WithoutAnchors)


def _bare(shape: Any, *, names: bool = False) -> Any:
    """Remove descriptions, which are only for people; with `names` the keys are those of a rules file."""
    if isinstance(shape, list):
        return [_bare(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    kept = {name: part for name, part in shape.items() if names or name not in _FOR_PEOPLE}
    return {name: _bare(part, names=name == "properties") for name, part in kept.items()}


def values_schema_text() -> str:
    """Return the schema as it is in its file."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


def _strict(properties: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": dict(properties),
    }


def _custom_names(pattern: str = r"\S") -> dict[str, Any]:
    """Return the schema of custom event names: one for each kind, which may be spelt in one way."""
    name = {"type": "string", "pattern": pattern, "maxLength": MAX_NAME_CHARACTERS}
    spellings: dict[str, list[str]] = {}
    for spelling, kind in SPELLINGS.items():
        spellings.setdefault(kind.name, []).append(spelling)
    twice = [pair for same in spellings.values() for pair in combinations(same, 2)]
    return {
        **_strict(dict.fromkeys(SPELLINGS, name)),
        "allOf": [{"not": {"required": list(pair)}} for pair in twice],
    }


def _secret_settings() -> dict[str, Any]:
    properties = {
        "setting": {"enum": [variable(field) for field in secrets()]},
        "existingSecret": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253},
        "key": {"$ref": "#/definitions/requiredKey"},
    }
    return {"type": "array", "items": _strict(properties, required=[*properties])}


def _extra_environment() -> dict[str, Any]:
    """Return the schema of additional variables. One of the program's must exist, and must have a `valueFrom`."""
    ours = [variable(field) for field in FIELDS] + [secret_file_variable(field) for field in secrets()]
    reference = {"type": "object"}
    name = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
    item = {
        **_strict({"name": name, "value": {"type": "string"}, "valueFrom": reference}, required=["name"]),
        "if": {"properties": {"name": {"pattern": f"^{PREFIX}"}}},
        "then": _strict({"name": {"enum": ours}, "valueFrom": reference}, required=["name", "valueFrom"]),
    }
    return {"type": "array", "items": item}


def _quoted(shape: Any) -> Any:
    """Allow only texts where a rules file may have a text, a number or a truth value without quotes.

    Rules compare texts, and Helm would write 1.50 as 1.5 and 1000000 as 1e+06.
    """
    if isinstance(shape, list):
        return [_quoted(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    if isinstance(shape.get("type"), list):
        return {**shape, "type": "string"}
    return {name: _quoted(part) for name, part in shape.items()}


def _shape(field: str, described: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"description": SETTINGS[field].described.description}
    if allowed := choices(field):
        return {**shape, "enum": list(allowed)}
    option = next((option for option in described.get("anyOf", ()) if option["type"] != "null"), described)
    bounds = {name: option[name] for name in _BOUNDS if name in option}
    given = _BY_TYPE.get(_words(field), {"type": _JSON_TYPES[annotation(field)[0]]})
    return {**shape, **given, **({} if "$ref" in given else bounds)}


def _words(field: str) -> str:
    return next((added.words for added in annotation(field)[1] if isinstance(added, Expected)), "")


if __name__ == "__main__":
    VOCABULARY.write_text(vocabulary_text(), encoding="utf-8")
    VALUES_SCHEMA.write_text(values_schema_text(), encoding="utf-8")
