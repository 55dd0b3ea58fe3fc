"""Decide by rules whether an event is kept: the first rule that matches decides, else the default.

Rules are compiled once. What the kind and being anonymous settle is settled then, so an event meets only the rules of
its own kind, and of those only the ones that an index names for its own values (`pipeline.core.indexes`). A rule that
cannot match costs nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.indexes import Candidate, Index, Ruling, build_indexes
from pipeline.core.reachability import covers_kind, find_unreachable
from pipeline.core.rules import SETTLED_BY_KIND, Clause, Decision, Rule, SampleBy, Verdict, rules_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.events import Event
    from pipeline.core.kinds import Kind
    from pipeline.core.mistakes import Mistake

_HASHES: Final = 2**64


class Filter(msgspec.Struct, frozen=True):
    """The rules that events of one kind can meet, identified ones or anonymous ones. ``shadows`` decide nothing."""

    indexes: tuple[Index, ...]
    otherwise: Ruling
    shadows: tuple[Index, ...] = ()

    def ruling(self, event: Event) -> Ruling:
        """Find the first rule that matches, else the default."""
        first = self.otherwise
        for index in self.indexes:
            for candidate in index(event):
                if candidate.ruling.order > first.order:
                    break
                if candidate.matches(event):
                    first = candidate.ruling
                    break
        return first

    def shadows_before(self, ruling: Ruling, event: Event) -> tuple[int, ...]:
        """List the shadow rules of which each would have decided in place of this ruling, if it were no shadow."""
        found = []
        for index in self.shadows:
            for shadow in index(event):
                if shadow.ruling.order > ruling.order:
                    break
                if shadow.matches(event):
                    found.append(shadow.ruling.order)
        found.sort()
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A filter: its rules in order, and what is done where none matches.

    ``version`` is a hash of the meaning; ``warnings`` name the rules that can never match.
    """

    rules: tuple[Rule, ...]
    default: Decision
    filename: str
    version: str = field(init=False)
    warnings: tuple[Mistake, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out the version and the warnings."""
        object.__setattr__(self, "version", rules_version(self.rules, self.default))
        object.__setattr__(self, "warnings", find_unreachable(self.rules, self.filename))

    @property
    def needs_tracked_users(self) -> bool:
        """Whether a decision depends on who was tracked before."""
        decisions = (self.default, *(rule.then for rule in self.rules if not rule.shadow))
        return any(decision.verdict is Verdict.TRACKED_ONLY for decision in decisions)

    def label(self, place: int | None) -> str:
        """Name a rule shortly, as a metric does: by its name, else by its number from 1; None is the default."""
        if place is None:
            return "default"
        return self.rules[place].name or f"rule {place + 1}"


class FilterBook:
    """The filters of all kinds, compiled as they are asked for; kinds that meet the same rules share one."""

    def __init__(self, rules: Rules) -> None:
        """Number the rules; the default comes after the last."""
        self._rules = [(Ruling(order, order, rule.then), rule) for order, rule in enumerate(rules.rules)]
        self._default = Ruling(len(self._rules), None, rules.default)
        self._compile = cache(self._compile_anew)

    def filter_for(self, kind: Kind, *, anonymous: bool) -> Filter:
        """Return the filter for the identified or the anonymous events of a kind."""
        met = tuple(ruling.order for ruling, rule in self._rules if covers_kind(rule, kind, anonymous=anonymous))
        return self._compile(met)

    def _compile_anew(self, met: tuple[int, ...]) -> Filter:
        asking: list[tuple[Ruling, list[Clause]]] = []
        shadows: list[tuple[Ruling, list[Clause]]] = []
        otherwise = self._default
        for order in met:
            ruling, rule = self._rules[order]
            clauses = [clause for clause in rule.when if clause.condition not in SETTLED_BY_KIND]
            if rule.shadow:
                shadows.append((ruling, clauses))
            elif clauses:
                asking.append((ruling, clauses))
            else:
                otherwise = ruling
                break
        return Filter(build_indexes(asking), otherwise, _shadow_indexes(shadows))


def _shadow_indexes(shadows: Sequence[tuple[Ruling, Sequence[Clause]]]) -> tuple[Index, ...]:
    """File shadows as rules are; those that the kind alone settles always match."""
    always = tuple(Candidate(ruling) for ruling, clauses in shadows if not clauses)
    indexes = build_indexes([(ruling, clauses) for ruling, clauses in shadows if clauses])
    return (lambda _event: always, *indexes) if always else indexes


def in_sample(decision: Decision, user_key: bytes, message_id: str) -> bool:
    """Tell whether a user, or an event, is in the sample that a decision keeps.

    The first eight bytes of BLAKE2b over the user key or the messageId, read as a big-endian number, are below the
    same share of 2**64. So a redelivery decides alike, and who is in a sample of 10 % is in every larger one.
    """
    key = user_key if decision.by is SampleBy.USER else message_id.encode()
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
    return number < _threshold(decision.percent)


@cache
def _threshold(percent: float) -> int:
    return ceil(Fraction(percent) * _HASHES / 100)
