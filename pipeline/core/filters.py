"""Decide by rules whether an event is kept: the first rule that matches decides, else the default.

Rules are compiled once for each kind, identified and anonymous. An event is then compared only with the rules that its
kind leaves open, and of those only with the candidates that an index returns for its values (`pipeline.core.indexes`).
A rule that cannot match costs nothing.
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
    from collections.abc import Callable, Sequence

    from pipeline.core.classification import MtuClass
    from pipeline.core.events import Event
    from pipeline.core.kinds import Kind
    from pipeline.core.mistakes import Mistake

_HASHES: Final = 2**64


class Filter(msgspec.Struct, frozen=True):
    """The rules that can match the identified or the anonymous events of one kind. ``shadows`` decide nothing."""

    indexes: tuple[Index, ...]
    otherwise: Ruling
    shadows: tuple[Index, ...] = ()

    def ruling(self, event: Event) -> Ruling:
        """Return the ruling of the first rule that matches, else the default."""
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
        """Return the shadow rules that would each have decided instead of this ruling if they were active."""
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
    """The rules in order, and the decision when none matches.

    ``version`` is a hash of their meaning; ``warnings`` name the rules that can never match.
    """

    rules: tuple[Rule, ...]
    default: Decision
    filename: str
    version: str = field(init=False)
    warnings: tuple[Mistake, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Compute the version and the warnings."""
        object.__setattr__(self, "version", rules_version(self.rules, self.default))
        object.__setattr__(self, "warnings", find_unreachable(self.rules, self.filename))

    @property
    def needs_tracked_users(self) -> bool:
        """Whether a decision depends on the tracked users."""
        decisions = (self.default, *(rule.then for rule in self.rules if not rule.shadow))
        return any(decision.verdict is Verdict.TRACKED_ONLY for decision in decisions)

    def label(self, index: int | None) -> str:
        """Return a rule's label in metrics: its name, else its number from 1; ``default`` for None."""
        if index is None:
            return "default"
        return self.rules[index].name or f"rule {index + 1}"


class FilterBook:
    """The filters of all kinds, compiled on demand. Kinds that the same rules can match share one."""

    def __init__(self, rules: Rules, mtu_class: Callable[[Kind], MtuClass]) -> None:
        """Number the rules; the default follows the last one. `mtu_class` returns the MTU class of a kind as sent."""
        self._mtu_class = mtu_class
        self._rules = [(Ruling(order, order, rule.then), rule) for order, rule in enumerate(rules.rules)]
        self._default = Ruling(len(self._rules), None, rules.default)
        self._cached_filter = cache(self._compile)

    def filter_for(self, kind: Kind, *, anonymous: bool) -> Filter:
        """Return the filter for the identified or the anonymous events of a kind."""
        mtu = self._mtu_class(kind)
        met = tuple(
            ruling.order for ruling, rule in self._rules if covers_kind(rule, kind, anonymous=anonymous, mtu=mtu)
        )
        return self._cached_filter(met)

    def _compile(self, met: tuple[int, ...]) -> Filter:
        conditional: list[tuple[Ruling, list[Clause]]] = []
        shadows: list[tuple[Ruling, list[Clause]]] = []
        otherwise = self._default
        for order in met:
            ruling, rule = self._rules[order]
            clauses = [clause for clause in rule.when if clause.condition not in SETTLED_BY_KIND]
            if rule.shadow:
                shadows.append((ruling, clauses))
            elif clauses:
                conditional.append((ruling, clauses))
            else:
                otherwise = ruling
                break
        return Filter(build_indexes(conditional), otherwise, _shadow_indexes(shadows))


def _shadow_indexes(shadows: Sequence[tuple[Ruling, Sequence[Clause]]]) -> tuple[Index, ...]:
    """Index shadow rules like other rules; those without further conditions always match."""
    always = tuple(Candidate(ruling) for ruling, clauses in shadows if not clauses)
    indexes = build_indexes([(ruling, clauses) for ruling, clauses in shadows if clauses])
    return (lambda _event: always, *indexes) if always else indexes


def in_sample(decision: Decision, user_key: bytes, message_id: str) -> bool:
    """Return whether a user, or an event, is in the sample that a decision keeps.

    It is when the first eight bytes of BLAKE2b over the user key or the messageId, as a big-endian number, are below
    the same share of 2**64. So a redelivery has the same result, and a user in a 10 % sample is in every larger one.
    """
    key = user_key if decision.by is SampleBy.USER else message_id.encode()
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
    return number < _threshold(decision.percent)


@cache
def _threshold(percent: float) -> int:
    return ceil(Fraction(percent) * _HASHES / 100)
