"""Rules as data: conditions, the decision when they hold, and the default.

`pipeline.core.rules_file` reads them from a file, and `pipeline.core.filters` decides by them.
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
    """The conditions that a rule can have."""

    KIND = "kind"
    CHANNEL = "channel"
    ACTION = "action"
    CATEGORY = "category"
    ANONYMOUS = "anonymous"
    MTU = "mtu"
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
    Condition.MTU,
)
"""The conditions that depend only on the kind, on whether the event is anonymous, and on the destination."""

WITHOUT_LETTER_CASE: Final = frozenset({Condition.DEVICE_TYPE, Condition.LANGUAGE})
"""The conditions that ignore letter case."""


class Verdict(StrEnum):
    """What a rule does with an event."""

    KEEP = "keep"
    DROP = "drop"
    SAMPLE = "sample"
    TRACKED_ONLY = "tracked_only"
    """Keep the event if its user was already tracked in this billing month, so that it costs no further MTU."""


class SampleBy(StrEnum):
    """What a sample consists of: all events of some users, or some events of all users."""

    USER = "user"
    EVENT = "event"


class Decision(msgspec.Struct, frozen=True):
    """The decision of a rule. A sample keeps ``percent`` of the users or events."""

    verdict: Verdict
    percent: float = 100.0
    by: SampleBy = SampleBy.USER

    def __str__(self) -> str:
        """Return the decision as text, such as ``sample 10 % by user``."""
        if self.verdict is Verdict.SAMPLE:
            return f"sample {self.percent:g} % by {self.by}"
        return self.verdict.value


KEEP: Final = Decision(Verdict.KEEP)
DROP: Final = Decision(Verdict.DROP)
TRACKED_ONLY: Final = Decision(Verdict.TRACKED_ONLY)


class Clause(msgspec.Struct, frozen=True):
    """One condition with its values. It holds when any of the values matches. ``tag`` is the name of a tag.

    Values are texts: values of the enums, canonical names of kinds, ``true`` or ``false`` for anonymous.
    """

    condition: Condition
    values: frozenset[str]
    tag: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """One rule. Its decision applies when all its clauses hold. ``line`` is its line in the file, from 1.

    A ``shadow`` rule decides nothing; metrics count what it would have decided.
    """

    when: tuple[Clause, ...]
    then: Decision
    name: str | None = None
    line: int | None = None
    shadow: bool = False


def rules_version(rules: tuple[Rule, ...], default: Decision) -> str:
    """Return a hash of the rules' meaning. Names, comments, the order of values and the layout do not matter."""
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
