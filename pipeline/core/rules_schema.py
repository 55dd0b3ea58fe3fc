"""The JSON Schema of a rules file, built from the enums that the code decides by.

It is draft 7, which most editors support. `schemas/rules.schema.json` contains the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.core.classification import MtuClass
from pipeline.core.kinds import SPELLINGS, Action, Category, Channel
from pipeline.core.rules import Condition, SampleBy, Verdict

if TYPE_CHECKING:
    from enum import StrEnum

Schema: TypeAlias = dict[str, Any]

MAX_RULES: Final = 1_000
MAX_VALUES: Final = 1_000
MAX_TEXT_CHARACTERS: Final = 500

_NAME: Final[Schema] = {"type": "string", "pattern": r"\S", "maxLength": MAX_TEXT_CHARACTERS}


def _one_or_many(value: Schema) -> Schema:
    many = {"type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": value}
    return {"if": {"type": "array"}, "then": many, "else": value}


def _member(enum: type[StrEnum]) -> Schema:
    return {"enum": [member.value for member in enum]}


def _object(description: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


_CONDITIONS: Final[dict[Condition, tuple[str, Schema]]] = {
    Condition.KIND: ("OneSignal's name of the kind, in any known spelling.", {"enum": sorted(SPELLINGS)}),
    Condition.CHANNEL: ("The channel of the message.", _member(Channel)),
    Condition.ACTION: ("What happened to the message.", _member(Action)),
    Condition.CATEGORY: ("What the sender did (delivery) or the person did (engagement).", _member(Category)),
    Condition.ANONYMOUS: ("Whether the event has no external id.", {"type": "boolean"}),
    Condition.MTU: (
        "Whether the event makes its user a billed one (counted) or not (exempt), by the destination's rules.",
        _member(MtuClass),
    ),
    Condition.APP_ID: ("The OneSignal app.", _NAME),
    Condition.TEMPLATE_ID: ("The message template.", _NAME),
    Condition.MESSAGE_ID: ("The message.", _NAME),
    Condition.MESSAGE_NAME: ("The message name: a pattern with `*`, `?` and `[...]`, letter case as written.", _NAME),
    Condition.DEVICE_TYPE: ("The subscription's device type, such as iOS, in any letter case.", _NAME),
    Condition.LANGUAGE: ("The user's language, in any letter case.", _NAME),
}


def rules_schema() -> Schema:
    """Return the JSON Schema of a rules file."""
    conditions = {
        condition.value: {"description": description, **_one_or_many(value)}
        for condition, (description, value) in _CONDITIONS.items()
    }
    conditions[Condition.TAG.value] = {
        "description": "The user's tags by name, each with the value or values that match. All must hold.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": MAX_VALUES,
        "additionalProperties": _one_or_many({"type": ["string", "number", "boolean"]}),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rules of the OneSignal pipeline",
        **_object(
            "Which events are kept. The first rule that matches decides.",
            {
                "$schema": {"description": "The location of this schema, for editors.", "type": "string"},
                "default": {"description": "The decision when no rule matches; keep by default.", **_decision()},
                "rules": {
                    "description": "The rules, in order.",
                    "type": "array",
                    "maxItems": MAX_RULES,
                    "items": _object(
                        "One rule. Without conditions it matches every event.",
                        {
                            "name": {"description": "What the rule is for.", **_NAME},
                            "when": _object(
                                "The conditions. All must hold; a list holds if any of its values does.", conditions
                            ),
                            "then": {"description": "The decision about the event.", **_decision()},
                            "shadow": {
                                "description": "Decide nothing, and count what the rule would have decided.",
                                "type": "boolean",
                            },
                        },
                        required=("then",),
                    ),
                },
            },
            required=("rules",),
        ),
    }


def _decision() -> Schema:
    sample = _object(
        "Keep some of the events, the same ones on every redelivery.",
        {
            "percent": {
                "description": "The size of the sample in percent.",
                "type": "number",
                "minimum": 0,
                "maximum": 100,
            },
            "by": {
                "description": "Whether the sample consists of users or of events; user by default.",
                **_member(SampleBy),
            },
        },
        required=("percent",),
    )
    return {
        "if": {"type": "object"},
        "then": _object("Keep a sample.", {Verdict.SAMPLE.value: sample}, required=(Verdict.SAMPLE.value,)),
        "else": {"enum": [verdict.value for verdict in Verdict if verdict is not Verdict.SAMPLE]},
    }
