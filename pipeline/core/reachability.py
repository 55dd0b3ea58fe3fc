"""Find the rules that can never match: their conditions exclude each other, or earlier rules match everything first."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import MtuClass
from pipeline.core.indexes import names_matcher
from pipeline.core.kinds import CATEGORIES, KINDS, Action, Channel, Kind
from pipeline.core.mistakes import MOST_LISTED, Mistake
from pipeline.core.rules import SETTLED_BY_KIND, Clause, Condition, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNKNOWN_KINDS: Final = tuple(
    Kind(name="", channel=channel, action=action, category=CATEGORIES[action], known=False)
    for channel, action in product(Channel, Action)
)
_CASES: Final = tuple(product((*KINDS.values(), *_UNKNOWN_KINDS), (False, True), MtuClass))
"""Every kind in both MTU classes: destinations share a rules file, and the names that are sent decide the class."""
_KNOWN_CASES: Final = sum(1 << number for number, (kind, _, _) in enumerate(_CASES) if kind.known)
_PATTERN_SIGNS: Final = frozenset("*?[")


def covers_kind(rule: Rule, kind: Kind, *, anonymous: bool, mtu: MtuClass) -> bool:
    """Return whether a rule's conditions on the kind, on being anonymous and on the MTU class hold."""
    return all(_holds(clause, kind, anonymous=anonymous, mtu=mtu) for clause in rule.when)


def _holds(clause: Clause, kind: Kind, *, anonymous: bool, mtu: MtuClass) -> bool:
    answers = {
        Condition.KIND: kind.name,
        Condition.CHANNEL: kind.channel,
        Condition.ACTION: kind.action,
        Condition.CATEGORY: kind.category,
        Condition.ANONYMOUS: "true" if anonymous else "false",
        Condition.MTU: mtu,
    }
    answer = answers.get(clause.condition)
    return answer is None or answer in clause.values


def find_unreachable(rules: Sequence[Rule], filename: str) -> tuple[Mistake, ...]:
    """Return warnings of the first rules that can never match, with the reason, and one that counts the others."""
    cases = [_cases_of(rule) for rule in rules]
    warnings = []
    for index, rule in enumerate(rules):
        left = cases[index]
        # Unknown kinds count only for a rule that names them.
        if left & _KNOWN_CASES or not _names_other(rule):
            left &= _KNOWN_CASES
        deciders = []
        if left:
            for earlier in range(index):
                if left & cases[earlier] and not rules[earlier].shadow and _matches_whenever(rules[earlier], rule):
                    left &= ~cases[earlier]
                    deciders.append(describe(rules[earlier], earlier))
        if not left:
            reason = "its conditions exclude each other"
            if deciders:
                reason = f"{', '.join(deciders)} {'matches' if len(deciders) == 1 else 'match'} all of its events first"
            warnings.append(
                Mistake(
                    file=filename,
                    line=rule.line or 1,
                    message=f"{describe(rule, index)} can never match: {reason}",
                    suggestion="move it up or delete it" if deciders else "correct or delete it",
                ),
            )
    return _first(warnings)


def _first(warnings: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """Return the first warnings, and one that counts the others."""
    more = len(warnings) - MOST_LISTED
    if more <= 0:
        return tuple(warnings)
    following = warnings[MOST_LISTED]
    counted = Mistake(file=following.file, line=following.line, message=f"{more:,} more rules can never match")
    return (*warnings[:MOST_LISTED], counted)


def describe(rule: Rule, index: int) -> str:
    """Return a rule's number from 1, its name if it has one, and its line if it came from a file."""
    name = f" `{rule.name}`" if rule.name else ""
    line = f" (line {rule.line})" if rule.line else ""
    return f"rule {index + 1}{name}{line}"


def _cases_of(rule: Rule) -> int:
    """Return the cases that a rule can match as bits."""
    bits = 0
    for number, (kind, anonymous, mtu) in enumerate(_CASES):
        if covers_kind(rule, kind, anonymous=anonymous, mtu=mtu):
            bits |= 1 << number
    return bits


def _names_other(rule: Rule) -> bool:
    return any("other" in clause.values for clause in rule.when if clause.condition in SETTLED_BY_KIND)


def _matches_whenever(earlier: Rule, later: Rule) -> bool:
    """Return whether values that satisfy the later rule always satisfy the earlier one, whatever the kind."""
    return all(
        any(_implies(stricter, clause) for stricter in later.when)
        for clause in earlier.when
        if clause.condition not in SETTLED_BY_KIND
    )


def _implies(stricter: Clause, clause: Clause) -> bool:
    if (stricter.condition, stricter.tag) != (clause.condition, clause.tag):
        return False
    if clause.condition is not Condition.MESSAGE_NAME:
        return stricter.values <= clause.values
    return all(
        value in clause.values or (not _PATTERN_SIGNS & set(value) and _matcher(clause.values)(value))
        for value in stricter.values
    )


@lru_cache(maxsize=1024)
def _matcher(patterns: frozenset[str]) -> Callable[[str], bool]:
    """Compile patterns once: a thousand rules are half a million pairs to compare."""
    return names_matcher(patterns)
