"""Describe the changes from one set of rules to another: rule by rule, and their effect on events."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import combinations, product
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pipeline.core.classification import MtuClass
from pipeline.core.kinds import KINDS
from pipeline.core.reachability import covers_kind
from pipeline.core.rules import SETTLED_BY_KIND, Condition, Decision, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.core.filters import Rules
    from pipeline.core.kinds import Kind
    from pipeline.core.rules import Clause

    _Case: TypeAlias = tuple[frozenset[Clause], Decision]

_NO_CHANGE: Final = "Both make the same decisions."
_MTU_CLASSES: Final = (
    "Whether an event is counted or exempt depends on the destination: at Segment all events are counted, at Mixpanel "
    "the event name decides."
)


class _Effect(NamedTuple):
    """The decision about the events of a kind: cases with further conditions, in order, and the decision otherwise."""

    cases: tuple[_Case, ...]
    otherwise: Decision

    def __str__(self) -> str:
        """Return the cases as text."""
        if not self.cases:
            return str(self.otherwise)
        cases = "; ".join(f"{decision} where {_conditions(clauses)}" for clauses, decision in self.cases)
        return f"{cases}; else {self.otherwise}"


class _Who(NamedTuple):
    """Users, identified or anonymous, of a kind in an MTU class."""

    anonymous: bool
    mtu: MtuClass


_EVERYBODY: Final = tuple(_Who(anonymous, mtu) for anonymous, mtu in product((False, True), MtuClass))


_WORDS: Final = {False: "identified", True: "anonymous"}


def _suffixes() -> Iterator[tuple[list[_Who], str]]:
    """Yield every set of users that can have a change in common, with its words."""
    for size in range(len(_EVERYBODY), 0, -1):
        for cases in combinations(_EVERYBODY, size):
            yield list(cases), _suffix(cases)


def _suffix(cases: Sequence[_Who]) -> str:
    """Return what distinguishes users, such as `, identified, exempt`; nothing if they are all users."""
    words, classes = {_WORDS[each.anonymous] for each in cases}, {each.mtu.value for each in cases}
    if len(cases) < len(words) * len(classes):
        return "".join(f", {_WORDS[each.anonymous]} {each.mtu}" for each in cases)
    return "".join(f", {next(iter(each))}" for each in (words, classes) if len(each) == 1)


_SUFFIXES: Final = tuple(_suffixes())


def differences(old: Rules, new: Rules) -> Iterator[str]:
    """Yield the changes, one per line, and then their effect."""
    if old.version == new.version:
        yield _NO_CHANGE
        return
    yield from _rule_changes(old, new)
    if old.default != new.default:
        yield f"default: {old.default} becomes {new.default}"
    effects = list(_effect_changes(old, new))
    yield ""
    yield "Effect:" if effects else "No effect: every event gets the same decision as before."
    yield from (f"  {line}" for line in effects)
    if any(clause.condition is Condition.MTU for rule in (*old.rules, *new.rules) for clause in rule.when):
        yield _MTU_CLASSES


# ---- rule by rule


def _rule_changes(old: Rules, new: Rules) -> Iterator[str]:
    pairs = _pairs(old.rules, new.rules)
    stay = _longest_rise([after for _, after in sorted(pairs)])
    for before, rule in enumerate(old.rules):
        if before not in {each for each, _ in pairs}:
            yield f"removed: {_described(rule, before)}"
    sources = {after: before for before, after in pairs}
    for after, rule in enumerate(new.rules):
        if after not in sources:
            yield f"added: {_described(rule, after)}"
            continue
        before = sources[after]
        changes = list(_changes(old.rules[before], rule))
        if after not in stay:
            changes.insert(0, f"moved from position {before + 1} to {after + 1}")
        if changes:
            yield f"changed: {_label(rule, after)}: {'; '.join(changes)}"


def _pairs(old: Sequence[Rule], new: Sequence[Rule]) -> set[tuple[int, int]]:
    """Match old rules to new ones: equal in all but the name, else with equal names, else with equal conditions."""
    keys: tuple[Callable[[Rule], object], ...] = (
        lambda rule: (frozenset(rule.when), rule.then, rule.shadow, rule.name),
        lambda rule: (frozenset(rule.when), rule.then, rule.shadow),
        lambda rule: rule.name,
        lambda rule: frozenset(rule.when),
    )
    pairs: set[tuple[int, int]] = set()
    for key in keys:
        left: defaultdict[object, list[int]] = defaultdict(list)
        for before in sorted(set(range(len(old))) - {before for before, _ in pairs}):
            left[key(old[before])].append(before)
        for after in sorted(set(range(len(new))) - {after for _, after in pairs}):
            found = key(new[after])
            if found is not None and left[found]:
                pairs.add((left[found].pop(0), after))
    return pairs


def _longest_rise(positions: Sequence[int]) -> set[int]:
    """Return the members of the longest increasing subsequence; the other rules have moved."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for position in positions:
        at = bisect_left(ends, position)
        before[position] = ends[at - 1] if at else None
        ends[at : at + 1] = [position]
    found: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def _changes(old: Rule, new: Rule) -> Iterator[str]:
    if old.name != new.name and (old.name or new.name):
        yield f"was named `{old.name}`" if old.name else "had no name"
    if old.then != new.then:
        yield f"{old.then} becomes {new.then}"
    if old.shadow != new.shadow:
        yield "is now a shadow rule and decides nothing" if new.shadow else "is no longer a shadow rule"
    befores, afters = ({(c.condition, c.tag): c for c in rule.when} for rule in (old, new))
    for key in sorted({*befores, *afters}, key=str):
        before, after = befores.get(key), afters.get(key)
        if before is None and after is not None:
            yield f"also requires that {_clause(after)}"
        elif after is None and before is not None:
            yield f"no longer requires that {_clause(before)}"
        elif before is not None and after is not None and before != after:
            more, fewer = sorted(after.values - before.values), sorted(before.values - after.values)
            changes = [f"also {_alternatives(more)}"] if more else []
            changes += [f"no longer {_alternatives(fewer)}"] if fewer else []
            yield f"{_subject(after)}: {', '.join(changes)}"


def _label(rule: Rule, index: int) -> str:
    return f"rule {index + 1} `{rule.name}`" if rule.name else f"rule {index + 1}"


def _described(rule: Rule, index: int) -> str:
    condition = f"where {_conditions(rule.when)}" if rule.when else "always"
    return f"{_label(rule, index)}: {rule.then}{' (shadow)' if rule.shadow else ''} {condition}"


def _conditions(clauses: Iterable[Clause]) -> str:
    return " and ".join(
        _clause(clause) for clause in sorted(clauses, key=lambda each: (each.condition, each.tag or ""))
    )


def _clause(clause: Clause) -> str:
    verb = "matches" if clause.condition is Condition.MESSAGE_NAME else "is"
    return f"{_subject(clause)} {verb} {_alternatives(sorted(clause.values))}"


def _subject(clause: Clause) -> str:
    return f"tag {clause.tag}" if clause.condition is Condition.TAG else clause.condition.value


def _alternatives(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


# ---- in effect


def _effect_changes(old: Rules, new: Rules) -> Iterator[str]:
    """Yield the changes for each kind: identified and anonymous, and in both MTU classes, which a destination assigns.

    Kinds with the same change share a line.
    """
    changed: defaultdict[tuple[_Effect, _Effect], dict[str, list[_Who]]] = defaultdict(dict)
    for kind, who in product(KINDS.values(), _EVERYBODY):
        effects = _effect(old, kind, who), _effect(new, kind, who)
        if effects[0] != effects[1]:
            changed[effects].setdefault(kind.name, []).append(who)
    for (before, after), kinds in changed.items():
        for cases, suffix in _SUFFIXES:
            names = [name.removeprefix("message.") for name, found in kinds.items() if found == cases]
            if names:
                conditional = before.cases or after.cases
                subject = f"{', '.join(names)}{suffix}:"
                if conditional:
                    yield from (subject, f"  before: {before}", f"  after: {after}")
                else:
                    yield f"{subject} {before} becomes {after}"


def _effect(rules: Rules, kind: Kind, who: _Who) -> _Effect:
    """Return the decision for a kind. Shadow rules decide nothing."""
    cases: list[_Case] = []
    otherwise = rules.default
    for rule in rules.rules:
        if rule.shadow or not covers_kind(rule, kind, anonymous=who.anonymous, mtu=who.mtu):
            continue
        clauses = frozenset(clause for clause in rule.when if clause.condition not in SETTLED_BY_KIND)
        if not clauses:
            otherwise = rule.then
            break
        if all(not earlier <= clauses for earlier, _ in cases):  # else an earlier case with fewer conditions matches
            cases.append((clauses, rule.then))
    while cases and cases[-1][1] == otherwise:
        cases.pop()
    return _Effect(tuple(cases), otherwise)
