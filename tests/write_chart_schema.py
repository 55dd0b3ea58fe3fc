"""Write what the code knows into the schema of the chart's values: ``make docs``, a test compares it.

Settings that have values of their own in the chart, or name files in a pod, are left out of `settings`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.core.presets import Preset
from pipeline.core.rules_schema import rules_schema
from pipeline.settings.expectations import annotation, choices, secrets
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS, SECTIONS, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

CHART: Final = Path(__file__).parents[1] / "deploy" / "helm" / "onesignal-pipeline"
VALUES_SCHEMA: Final = CHART / "values.schema.json"
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
"""Settings that other values of the chart decide."""
_JSON_TYPES: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BOUNDS: Final = ("minimum", "maximum", "minLength", "maxLength")


def settings_schema() -> dict[str, Any]:
    """Describe what `settings` takes: each variable with its bounds and its meaning."""
    own = {name: shape for section in SECTIONS for name, shape in section.model_json_schema()["properties"].items()}
    free = [field for field in FIELDS if field not in CHARTS_OWN and field not in secrets()]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            variable(field): _shape(field, own[field]) for field in free if annotation(field)[0] is not Path
        },
    }


def values_schema() -> dict[str, Any]:
    """Return the schema with what the code knows in its place."""
    schema: dict[str, Any] = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["rules"]["properties"]["preset"]["enum"] = ["", *Preset]
    schema["definitions"]["settings"] = settings_schema()
    schema["definitions"]["rules"] = _quoted({name: part for name, part in rules_schema().items() if name != "$schema"})
    return schema


def values_schema_text() -> str:
    """Return the schema as its file should be."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


def _quoted(shape: Any) -> Any:
    """Take texts alone where a rules file may have a text, a number or a truth value without quotes.

    Rules compare what is written, and Helm would write 1.50 as 1.5 and 1000000 as 1e+06.
    """
    if isinstance(shape, list):
        return [_quoted(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    if isinstance(shape.get("type"), list):
        return {**shape, "type": "string"}
    return {name: _quoted(part) for name, part in shape.items()}


def _shape(field: str, described: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"description": Settings.model_fields[field].description}
    if allowed := choices(field):
        return {**shape, "enum": list(allowed)}
    bounds = next((option for option in described.get("anyOf", ()) if option["type"] != "null"), described)
    return {
        **shape,
        "type": _JSON_TYPES[annotation(field)[0]],
        **{name: bounds[name] for name in _BOUNDS if name in bounds},
    }


if __name__ == "__main__":
    VALUES_SCHEMA.write_text(values_schema_text(), encoding="utf-8")
