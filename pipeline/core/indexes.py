"""Find the rules that an event's values can match without testing the others.

A rule is indexed by the values of its most selective clause, so finding it takes one dictionary lookup. Name patterns
are tested once for each message name, and the result is cached.
"""

from __future__ import annotations

import re
from collections import defaultdict
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pipeline.core.rules import Condition, Decision
from pipeline.core.tags import read_tags
from pipeline.core.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.core.events import Event
    from pipeline.core.rules import Clause

    Predicate: TypeAlias = Callable[[Event], bool]

_LONGEST_CACHED_NAME: Final = 200


class Ruling(msgspec.Struct, frozen=True):
    """A decision and the rule that made it. ``order`` is the index of the rule; the default follows the last rule."""

    order: int
    rule: int | None
    decision: Decision


class Candidate(msgspec.Struct, frozen=True):
    """A rule that may match: its compiled clauses, except the one that it is indexed by."""

    ruling: Ruling
    tests: tuple[Predicate, ...] = ()

    def matches(self, event: Event) -> bool:
        """Return whether every test holds."""
        return all(test(event) for test in self.tests)


Index: TypeAlias = "Callable[[Event], Iterable[Candidate]]"
"""Returns the candidates for an event's values, in the order of the rules."""


def _template_id(event: Event) -> str | None:
    return event.message.template_id if event.message is not None else None


def _message_id(event: Event) -> str | None:
    return event.message.id if event.message is not None else None


def _message_name(event: Event) -> str | None:
    return shown(event.message.name) if event.message is not None else None  # blank is absent: `*` does not match it


def _tags(event: Event, names: Iterable[str]) -> dict[str, str]:
    return read_tags(event.user.tags, names) if event.user is not None else {}


def _device_type(event: Event) -> str | None:
    device_type = shown(event.event.subscription_device_type)
    return None if device_type is None else device_type.lower()


def _language(event: Event) -> str | None:
    language = shown(event.user.language) if event.user is not None else None
    return None if language is None else language.lower()


_READERS: Final[Mapping[Condition, Callable[[Event], str | None]]] = {
    Condition.MESSAGE_ID: _message_id,
    Condition.TEMPLATE_ID: _template_id,
    Condition.APP_ID: lambda event: event.event.app_id,
    Condition.LANGUAGE: _language,
    Condition.DEVICE_TYPE: _device_type,
}

# The most selective condition comes first. A rule is indexed by the first of these that it has.
_BY_SELECTIVITY: Final = (
    Condition.MESSAGE_ID,
    Condition.TEMPLATE_ID,
    Condition.MESSAGE_NAME,
    Condition.TAG,
    Condition.APP_ID,
    Condition.LANGUAGE,
    Condition.DEVICE_TYPE,
)


def names_matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Compile name patterns (`*`, `?`, `[...]`) into one case-sensitive test.

    `fnmatch.translate` writes every star as an atomic group, so each star takes time linear in the name.
    """
    matches = re.compile("|".join(translate(pattern) for pattern in sorted(patterns))).match
    return lambda name: matches(name) is not None


def build_indexes(rules: Sequence[tuple[Ruling, Sequence[Clause]]]) -> tuple[Index, ...]:
    """Index rules, given in order with their clauses that depend on an event's values, at least one each."""
    indexed: defaultdict[Condition, list[tuple[Clause, Candidate]]] = defaultdict(list)
    for ruling, clauses in rules:
        key = min(clauses, key=lambda clause: _BY_SELECTIVITY.index(clause.condition))
        others = tuple(_predicate(clause) for clause in clauses if clause is not key)
        indexed[key.condition].append((key, Candidate(ruling, others)))
    return tuple(_index(condition, found) for condition, found in indexed.items())


def _index(condition: Condition, rules: Sequence[tuple[Clause, Candidate]]) -> Index:
    if condition is Condition.MESSAGE_NAME:
        return _name_index(rules)
    if condition is Condition.TAG:
        return _tag_index(rules)
    read = _READERS[condition]
    table = _table((value, candidate) for clause, candidate in rules for value in clause.values)
    return lambda event: table.get(read(event), ())


def _name_index(rules: Sequence[tuple[Clause, Candidate]]) -> Index:
    patterns = [(names_matcher(clause.values), candidate) for clause, candidate in rules]

    def find(name: str) -> tuple[Candidate, ...]:
        return tuple(candidate for matches, candidate in patterns if matches(name))

    cached = lru_cache(maxsize=4096)(find)

    def look_up(event: Event) -> tuple[Candidate, ...]:
        name = _message_name(event)
        if name is None:
            return ()
        return cached(name) if len(name) <= _LONGEST_CACHED_NAME else find(name)

    return look_up


def _tag_index(rules: Sequence[tuple[Clause, Candidate]]) -> Index:
    table = _table(((clause.tag, value), candidate) for clause, candidate in rules for value in clause.values)
    names = sorted({clause.tag or "" for clause, _ in rules})

    def look_up(event: Event) -> list[Candidate]:
        found = [candidate for tag in _tags(event, names).items() for candidate in table.get(tag, ())]
        return sorted(found, key=lambda candidate: candidate.ruling.order)

    return look_up


def _table(candidates: Iterable[tuple[object, Candidate]]) -> dict[object, tuple[Candidate, ...]]:
    table: defaultdict[object, tuple[Candidate, ...]] = defaultdict(tuple)
    for key, candidate in candidates:
        table[key] += (candidate,)
    return dict(table)


def _predicate(clause: Clause) -> Predicate:
    values = clause.values
    if clause.condition is Condition.TAG:
        tag = clause.tag or ""
        return lambda event: _tags(event, (tag,)).get(tag) in values
    if clause.condition is Condition.MESSAGE_NAME:
        matches = names_matcher(values)
        return lambda event: (name := _message_name(event)) is not None and matches(name)
    read = _READERS[clause.condition]
    return lambda event: read(event) in values
