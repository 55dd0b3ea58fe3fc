"""Rules and events for the tests of the filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.core.events import Event, decode
from pipeline.core.filters import FilterBook, Rules
from pipeline.core.identity import identify
from pipeline.core.kinds import kind_of
from pipeline.core.rules import KEEP, Clause, Condition, Decision, Rule
from tests.builders import SEGMENT, encode, raw_event

if TYPE_CHECKING:
    from pipeline.core.indexes import Ruling
    from pipeline.core.record_builders import RecordBuilders


def asks(condition: Condition, *values: str, tag: str | None = None) -> Clause:
    return Clause(condition, frozenset(values), tag)


def rule(then: Decision, *tests: Clause) -> Rule:
    return Rule(when=tests, then=then)


def rules(*listed: Rule, default: Decision = KEEP) -> Rules:
    return Rules(rules=listed, default=default, filename="rules.yaml")


def event(kind: str = "message.push.clicked", **parts: Any) -> Event:
    found = decode(encode(raw_event(kind, **parts)))
    assert isinstance(found, Event)
    return found


def filters(written: Rules, records: RecordBuilders = SEGMENT) -> FilterBook:
    return FilterBook(written, records.mtu_class)


def ruling(written: Rules, asked: Event, records: RecordBuilders = SEGMENT) -> Ruling:
    anonymous = identify(asked).user_id is None
    return filters(written, records).filter_for(kind_of(asked.event.kind), anonymous=anonymous).ruling(asked)
