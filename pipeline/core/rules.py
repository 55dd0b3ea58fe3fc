"""The rules of a filter as data: conditions, what is done when they hold, and the default.

How they are read from a file is in `pipeline.core.rules_file`, how they decide in `pipeline.core.filters`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping


class Condition(StrEnum):
    """What a rule can ask of an event."""

    KIND = "kind"
    CHANNEL = "channel"
    ACTION = "action"
    CATEGORY = "category"
    ANONYMOUS = "anonymous"
    APP_ID = "app_id"
    TEMPLATE_ID = "template_id"
    MESSAGE_ID = "message_id"
    MESSAGE_NAME = "message_name"
    DEVICE_TYPE = "device_type"
    LANGUAGE = "language"
    TAG = "tag"


SETTLED_BY_KIND: Final = (
    Condition.KIND,
    Condition.CHANNEL,
    Condition.ACTION,
    Condition.CATEGORY,
    Condition.ANONYMOUS,
)
"""The conditions whose answer is known from the kind and from being anonymous alone."""

WITHOUT_LETTER_CASE: Final = frozenset({Condition.DEVICE_TYPE, Condition.LANGUAGE})
"""The conditions that compare without regard to letter case."""


class Verdict(StrEnum):
    """What a rule does with an event."""

    KEEP = "keep"
    DROP = "drop"
    SAMPLE = "sample"
    TRACKED_ONLY = "tracked_only"
    """Keep the event if its user was tracked this billing month before: it then costs no further MTU."""


class SampleBy(StrEnum):
    """What a sample is a sample of: all events of some users, or some events of all users."""

    USER = "user"
    EVENT = "event"


class Decision(msgspec.Struct, frozen=True):
    """What to do: keep, drop, or keep ``percent`` of the users or events."""

    verdict: Verdict
    percent: float = 100.0
    by: SampleBy = SampleBy.USER

    def __str__(self) -> str:
        """Return the decision in words, such as ``sample 10 % by user``."""
        if self.verdict is Verdict.SAMPLE:
            return f"sample {self.percent:g} % by {self.by}"
        return self.verdict.value


KEEP: Final = Decision(Verdict.KEEP)
DROP: Final = Decision(Verdict.DROP)
TRACKED_ONLY: Final = Decision(Verdict.TRACKED_ONLY)


class Clause(msgspec.Struct, frozen=True):
    """One condition with its values; it holds when any of them does. ``tag`` is the name of the tag that is asked.

    Values are texts: members of the enums by value, kinds by canonical name, ``true`` or ``false`` for anonymous.
    """

    condition: Condition
    values: frozenset[str]
    tag: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """One rule: when all its clauses hold, its decision counts. ``line`` is where its file has it, from 1.

    A rule in the ``shadow`` decides nothing: what it would have decided is counted.
    """

    when: tuple[Clause, ...]
    then: Decision
    name: str | None = None
    line: int | None = None
    shadow: bool = False


def rules_version(rules: tuple[Rule, ...], default: Decision) -> str:
    """Hash what the rules mean. Names, comments, order of values and layout of the file do not matter."""
    meaning = {"default": _decision_meaning(default), "rules": [_rule_meaning(rule) for rule in rules]}
    return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _rule_meaning(rule: Rule) -> Mapping[str, object]:
    clauses = sorted((clause.condition, clause.tag or "", sorted(clause.values)) for clause in rule.when)
    shadow = {"shadow": True} if rule.shadow else {}
    return {"when": clauses, "then": _decision_meaning(rule.then), **shadow}


def _decision_meaning(decision: Decision) -> list[str | float]:
    if decision.verdict is Verdict.SAMPLE:
        return [decision.verdict, decision.percent, decision.by]
    return [decision.verdict]
