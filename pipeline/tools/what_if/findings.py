"""The results of counting the same traffic for one destination under several sets of rules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pipeline.core.classification import MtuClass
from pipeline.core.kinds import KINDS, Category, kind_of
from pipeline.tools.what_if.accounts import BILLS
from pipeline.tools.what_if.crowds import Estimate
from pipeline.tools.what_if.prices import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.classification import Destination
    from pipeline.core.filters import Rules
    from pipeline.core.outcomes import RejectReason
    from pipeline.tools.what_if.accounts import Bill
    from pipeline.tools.what_if.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A billing month with traffic, and the days that the traffic covers, in days since 1970-01-01.

    ``last_day`` is the last day of the month itself.
    """

    first_day: int
    last_day: int
    covered_from: int
    covered_to: int

    @property
    def is_partial(self) -> bool:
        """Whether the traffic does not cover all days of the month."""
        return self.covered_from > self.first_day or self.covered_to < self.last_day


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCount:
    """The events of one kind under one set of rules."""

    kept: int = 0
    dropped: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetFindings:
    """The results of one set of rules.

    ``records``, ``users`` and ``growth`` are by the first day of the month: kept events, and users with a kept event
    that the destination bills. ``engagements_lost`` and ``never_seen`` compare with the baseline: engagements, by kind,
    that only the baseline keeps; users of whom only the baseline keeps events.
    """

    name: str
    rules: Rules
    kinds: Mapping[str, KindCount]
    records: Mapping[int, int]
    users: Mapping[int, Estimate]
    growth: Mapping[int, Sequence[tuple[int, Estimate]]]
    engagements_lost: Mapping[str, int]
    never_seen: Estimate
    undated: int

    @property
    def kept(self) -> int:
        """Events that are delivered."""
        return sum(count.kept for count in self.kinds.values())

    @property
    def dropped(self) -> int:
        """Events that the rules drop."""
        return sum(count.dropped for count in self.kinds.values())

    @property
    def rejected(self) -> int:
        """Events that become dead letters because of their content or a setting, without undecodable messages."""
        return sum(count.rejected for count in self.kinds.values())

    @property
    def all_users(self) -> Estimate:
        """MTUs of all months together, as on the invoices."""
        found = self.users.values()
        return Estimate(sum(e.value for e in found), sum(e.low for e in found), sum(e.high for e in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was read, which is the same for every destination.

    ``read`` counts all messages; ``empty`` have no body and are dropped under any rules; ``unusable`` cannot be
    decoded.
    """

    source: str
    read: int
    empty: int
    unusable: Mapping[RejectReason, int]
    first_ms: int | None
    last_ms: int | None
    exact_up_to: int
    is_exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The results for one destination. ``sets`` begin with the baseline.

    ``reasons`` counts users by the groups of actions (bits) that are billed if every event is kept, each user once a
    month. ``exempt_kinds`` are the kinds in the traffic that bill no user.
    """

    destination: Destination
    traffic: Traffic
    months: Sequence[Month]
    sets: Sequence[RuleSetFindings]
    reasons: Mapping[int, Estimate]
    exempt_kinds: frozenset[str]
    tracks: bool

    @property
    def bill(self) -> Bill:
        """How the destination bills."""
        return BILLS[self.destination]

    @property
    def baseline(self) -> RuleSetFindings:
        """The set that the others are compared with."""
        return self.sets[0]

    @property
    def others(self) -> Sequence[RuleSetFindings]:
        """The sets that are compared with the baseline."""
        return self.sets[1:]

    def class_of(self, kind: str) -> MtuClass | None:
        """Return whether events of a kind bill their users; None if no set keeps such events."""
        if not any(found.kinds[kind].kept for found in self.sets if kind in found.kinds):
            return None
        return MtuClass.EXEMPT if kind in self.exempt_kinds else MtuClass.COUNTED

    def exempt(self, found: RuleSetFindings) -> int:
        """Return how many events a set keeps that bill no user."""
        return sum(count.kept for name, count in found.kinds.items() if name in self.exempt_kinds)

    def saved(self, found: RuleSetFindings, month: int | None = None) -> int:
        """Return how many MTUs a set saves compared with the baseline; negative if it has more."""
        if month is None:
            return sum(self.saved(found, each.first_day) for each in self.months)
        return self.baseline.users[month].value - found.users[month].value


def kinds_of(destinations: Sequence[Findings]) -> tuple[str, ...]:
    """Return the kinds in the traffic: known ones in the order of their table, then the others."""
    seen = {name for findings in destinations for found in findings.sets for name in found.kinds}
    return (*(name for name in KINDS if name in seen), *sorted(seen - KINDS.keys()))


def cost_of(prices: Prices, found: RuleSetFindings, days: Sequence[int]) -> Decimal:
    """Return the cost of the months that begin on these days."""
    return sum((prices.cost(amount_of(prices.unit, found, [day])) for day in days), Decimal(0))


def amount_of(unit: Unit, found: RuleSetFindings, days: Sequence[int]) -> int:
    """Return how many users or events are billed in the months that begin on these days."""
    if unit is Unit.EVENT:
        return sum(found.records[day] for day in days)
    return sum(found.users[day].value for day in days)


def is_engagement(kind: str) -> bool:
    """Return whether events of a kind are engagements."""
    return kind_of(kind).category is Category.ENGAGEMENT
