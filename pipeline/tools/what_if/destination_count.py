"""Decide the same events for one destination under several sets of rules, and count the decisions of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.core.classification import MtuClass
from pipeline.core.kinds import Category, kind_of
from pipeline.core.outcomes import Reject
from pipeline.core.processing import Keep
from pipeline.tools.what_if.exact_crowds import ExactCrowd, ExactReasons
from pipeline.tools.what_if.findings import Findings, KindCount, Month, RuleSetFindings
from pipeline.tools.what_if.groups import BIT_OF_ACTION
from pipeline.tools.what_if.tally import RuleSet, Tally, is_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.events import Event
    from pipeline.core.messages import Message
    from pipeline.core.outcomes import Drop
    from pipeline.state.message_catalogue import MessageCatalogue
    from pipeline.tools.what_if.accounts import Account
    from pipeline.tools.what_if.crowds import Crowd, People, Reasons, Who
    from pipeline.tools.what_if.findings import Traffic


class DestinationCount:
    """The decisions for one destination. The first set is the baseline, and `everything` is the one that drops nothing.

    Billed users are counted with the events that the destination bills.
    """

    def __init__(self, account: Account, rule_sets: Sequence[RuleSet], everything: RuleSet, people: People) -> None:
        self._account = account
        month_of, catalogue = account.billing_month.first_day, account.catalogue
        self.tallies = [Tally(each, account.policy, people, month_of, catalogue) for each in rule_sets]
        self._everything = self.tallies[rule_sets.index(everything)]
        self._reasons: Reasons = people.reasons()
        self._months: dict[int, int] = {}

    def count(self, event: Event, value: bytes, message: Message, people: People, clock_ms: int) -> None:
        """Decide one event under every set. `clock_ms` is the time of the message catalogue's clock."""
        month, day = self._when(message.timestamp)
        catalogue = self._account.catalogue
        if catalogue is not None:
            catalogue.advance(clock_ms)
        baseline_keeps = False
        who: Who = None
        for tally in self.tallies:
            outcome = tally.decide(event, value, message)
            if catalogue is not None and not isinstance(outcome, Reject):
                _learn(catalogue, outcome)
            if isinstance(outcome, Keep):
                baseline_keeps = baseline_keeps or tally is self.tallies[0]
                if month is None:
                    tally.undated += 1
                else:
                    who = people.who(outcome.user_key) if who is None else who
                    tally.touch(outcome, who, month, day)
                    if tally is self._everything and outcome.plan.is_counted:
                        self._reasons.touch(who, month, BIT_OF_ACTION[outcome.plan.kind.action])
            elif baseline_keeps and outcome.kind is not None and outcome.kind.category is Category.ENGAGEMENT:
                lost, name = tally.engagements_lost, outcome.kind.name
                lost[name] = lost.get(name, 0) + 1

    def _when(self, timestamp: int) -> tuple[int | None, int]:
        """Return month and day of a time."""
        if not is_date(timestamp):
            return None, 0
        day = timestamp // MILLISECONDS_A_DAY
        month = self._months.get(day)
        if month is None:
            month = self._months[day] = self._account.billing_month.first_day(timestamp)
        return month, day

    def switch_to_sketches(self) -> None:
        """Convert exact counts to estimates."""
        # Most traffic needs no sketches, and importing the library imports numpy.
        from pipeline.tools.what_if.sketched_crowds import sketched_crowd, sketched_reasons  # noqa: PLC0415

        def sketched(crowd: Crowd, *, searchable: bool) -> Crowd:
            return sketched_crowd(crowd, searchable=searchable) if isinstance(crowd, ExactCrowd) else crowd

        for tally in self.tallies:
            exempts = tally.seen is not tally.billed
            tally.billed = sketched(tally.billed, searchable=tally.tracks)
            tally.seen = sketched(tally.seen, searchable=False) if exempts else tally.billed
        if isinstance(self._reasons, ExactReasons):
            self._reasons = sketched_reasons(self._reasons)

    def findings(self, traffic: Traffic, people: People) -> Findings:
        """Return the findings about this destination."""
        months = tuple(self._month(first_day, traffic) for first_day in sorted(set(self._months.values())))
        sets = tuple(self._findings_of(tally, months, people) for tally in self.tallies)
        records = self._account.policy.records
        seen = {kind_of(name) for found in sets for name in found.kinds if name}
        exempt = [kind.name for kind in seen if records.mtu_class(kind) is MtuClass.EXEMPT]
        return Findings(
            destination=self._account.destination,
            traffic=traffic,
            months=months,
            sets=sets,
            reasons=self._reasons.sizes(),
            exempt_kinds=frozenset(exempt),
            tracks=any(tally.tracks for tally in self.tallies),
        )

    def _findings_of(self, tally: Tally, months: Sequence[Month], people: People) -> RuleSetFindings:
        kinds = {
            name: KindCount(kept=kept, dropped=dropped, rejected=rejected)
            for name, (kept, dropped, rejected) in tally.kinds.items()
        }
        days = [month.first_day for month in months]
        return RuleSetFindings(
            name=tally.rule_set.name,
            rules=tally.rule_set.rules,
            kinds=kinds,
            records={day: tally.records.get(day, 0) for day in days},
            users={day: tally.billed.size(day) for day in days},
            growth={day: tally.billed.growth(day) for day in days},
            engagements_lost=dict(tally.engagements_lost),
            never_seen=people.only_in(self.tallies[0].seen, tally.seen),
            undated=tally.undated,
        )

    def _month(self, first_day: int, traffic: Traffic) -> Month:
        next_month = self._account.billing_month.first_day((first_day + 31) * MILLISECONDS_A_DAY)
        last_day = next_month - 1
        first_ms, last_ms = traffic.first_ms or 0, traffic.last_ms or 0
        return Month(
            first_day=first_day,
            last_day=last_day,
            covered_from=max(first_day, first_ms // MILLISECONDS_A_DAY),
            covered_to=min(last_day, last_ms // MILLISECONDS_A_DAY),
        )


def _learn(catalogue: MessageCatalogue, outcome: Keep | Drop) -> None:
    if outcome.change is not None and outcome.change.learnt is not None:
        catalogue.learn(outcome.change.learnt)
