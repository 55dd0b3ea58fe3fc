"""Decide the same traffic under several sets of rules, and count the decisions of each.

Each event is decoded once. Each set then decides it with `pipeline.core.processing.judge`, which is `process` without
the record, so a set costs a fraction of the processor's time for the event.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.core.events import Event, decode
from pipeline.core.kinds import Category
from pipeline.core.outcomes import Deliver, Reject
from pipeline.core.processing import Keep
from pipeline.core.timestamps import event_time
from pipeline.tools.what_if.exact_crowds import ExactCrowd, ExactPeople, ExactReasons
from pipeline.tools.what_if.findings import Findings, KindCount, Month, RuleSetFindings
from pipeline.tools.what_if.groups import BIT_OF_ACTION
from pipeline.tools.what_if.tally import LAST_MS, RuleSet, Tally, is_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.core.billing_month import BillingMonth
    from pipeline.core.messages import Message
    from pipeline.core.outcomes import Drop, RejectReason
    from pipeline.core.policy import Policy
    from pipeline.state.message_catalogue import MessageCatalogue
    from pipeline.tools.what_if.crowds import People, Reasons

EXACT_USERS: Final = 2_000_000
"""The largest number of distinct users that are counted exactly. Each takes about 170 bytes."""


class _Dated(msgspec.Struct, frozen=True, gc=False):
    """A message with the time of its event, because Kafka has none (`pipeline.core.messages.Message`)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Any = ()


class Count:
    """Count traffic under several sets of rules. The first is the baseline, and one set must keep everything."""

    def __init__(
        self,
        rule_sets: Sequence[RuleSet],
        everything: RuleSet,
        *,
        policy: Policy,
        billing_month: BillingMonth,
        exact_users: int = EXACT_USERS,
        catalogue: MessageCatalogue | None = None,
        now_ms: int = LAST_MS,
    ) -> None:
        """Start counting.

        Set the attribute ``decode`` if the traffic is not JSON.

        Args:
            rule_sets: The sets of rules, beginning with the baseline.
            everything: The set of them that keeps everything.
            policy: All of the policy except its rules.
            billing_month: The billing month.
            exact_users: The largest number of users that are counted exactly.
            catalogue: An empty message catalogue that learns from the traffic, if there is one.
            now_ms: The latest time of the catalogue's clock, which is otherwise that of the latest message.
        """
        self.decode: Callable[[bytes], Event | RejectReason] = decode
        self._billing_month = billing_month
        self._exact_users = exact_users
        self._exact: ExactPeople | None = ExactPeople()
        self._people: People = self._exact
        self._catalogue = catalogue
        self._now_ms = now_ms
        self._tallies = [Tally(each, policy, self._people, billing_month.first_day, catalogue) for each in rule_sets]
        self._everything = self._tallies[rule_sets.index(everything)]
        self._reasons: Reasons = self._people.reasons()
        self._months: dict[int, int] = {}
        self.read = self._empty = 0
        self._unusable: dict[RejectReason, int] = {}
        self._first_ms, self._last_ms = LAST_MS, -1

    def count(self, messages: Iterable[Message]) -> None:
        """Decide messages under every set. Those of a partition must come in order."""
        for message in messages:
            self.read += 1
            value = message.value
            if value is None:
                self._empty += 1
                continue
            event = self.decode(value)
            if isinstance(event, Event):
                self._count(event, value, message)
            else:
                self._unusable[event] = self._unusable.get(event, 0) + 1
        if self._exact is not None and len(self._exact) > self._exact_users:
            self._switch_to_sketches()

    def _count(self, event: Event, value: bytes, message: Message) -> None:
        if not is_date(message.timestamp):
            message = _dated(event, message)
        month, day = self._when(message.timestamp)
        if self._catalogue is not None:
            self._catalogue.advance(min(self._last_ms, self._now_ms))
        baseline_keeps = False
        for tally in self._tallies:
            outcome = tally.decide(event, value, message)
            if self._catalogue is not None and not isinstance(outcome, Reject):
                _learn(self._catalogue, outcome)
            if isinstance(outcome, (Keep, Deliver)):
                baseline_keeps = baseline_keeps or tally is self._tallies[0]
                self._touch(tally, outcome, month, day)
            elif baseline_keeps and outcome.kind is not None and outcome.kind.category is Category.ENGAGEMENT:
                lost, name = tally.engagements_lost, outcome.kind.name
                lost[name] = lost.get(name, 0) + 1

    def _touch(self, tally: Tally, kept: Keep | Deliver, month: int | None, day: int) -> None:
        if month is None:
            tally.undated += 1
            return
        who = self._people.who(kept.user_key)
        tally.crowd.touch(who, month, day)
        if tally is self._everything:
            kind = kept.kind if isinstance(kept, Deliver) else kept.plan.kind
            self._reasons.touch(who, month, BIT_OF_ACTION[kind.action])

    def _when(self, timestamp: int) -> tuple[int | None, int]:
        """Return month and day of a time, and update the time range of the traffic."""
        if not is_date(timestamp):
            return None, 0
        self._first_ms = min(self._first_ms, timestamp)
        self._last_ms = max(self._last_ms, timestamp)
        day = timestamp // MILLISECONDS_A_DAY
        month = self._months.get(day)
        if month is None:
            month = self._months[day] = self._billing_month.first_day(timestamp)
        return month, day

    def _switch_to_sketches(self) -> None:
        # Most traffic needs no sketches, and importing the library imports numpy.
        from pipeline.tools.what_if.sketched_crowds import (  # noqa: PLC0415
            SketchedPeople,
            sketched_crowd,
            sketched_reasons,
        )

        for tally in self._tallies:
            if isinstance(tally.crowd, ExactCrowd):
                tally.crowd = sketched_crowd(tally.crowd, searchable=tally.tracks)
        if isinstance(self._reasons, ExactReasons):
            self._reasons = sketched_reasons(self._reasons)
        self._people = SketchedPeople()
        self._exact = None

    def findings(self, source: str) -> Findings:
        """Return the findings; `source` is the name of the source, for people."""
        months = tuple(self._month(first_day) for first_day in sorted(set(self._months.values())))
        return Findings(
            source=source,
            read=self.read,
            empty=self._empty,
            unusable=dict(self._unusable),
            first_ms=self._first_ms if self._last_ms >= 0 else None,
            last_ms=self._last_ms if self._last_ms >= 0 else None,
            months=months,
            sets=tuple(self._findings_of(tally, months) for tally in self._tallies),
            reasons=self._reasons.sizes(),
            exact_up_to=self._exact_users,
            is_exact=self._exact is not None,
            tracks=any(tally.tracks for tally in self._tallies),
        )

    def _findings_of(self, tally: Tally, months: Sequence[Month]) -> RuleSetFindings:
        kinds = {
            name: KindCount(kept=kept, dropped=dropped, rejected=rejected)
            for name, (kept, dropped, rejected) in tally.kinds.items()
        }
        return RuleSetFindings(
            name=tally.rule_set.name,
            rules=tally.rule_set.rules,
            kinds=kinds,
            users={month.first_day: tally.crowd.size(month.first_day) for month in months},
            growth={month.first_day: tally.crowd.growth(month.first_day) for month in months},
            engagements_lost=dict(tally.engagements_lost),
            never_seen=self._people.only_in(self._tallies[0].crowd, tally.crowd),
            undated=tally.undated,
        )

    def _month(self, first_day: int) -> Month:
        next_month = self._billing_month.first_day((first_day + 31) * MILLISECONDS_A_DAY)
        last_day = next_month - 1
        return Month(
            first_day=first_day,
            last_day=last_day,
            covered_from=max(first_day, self._first_ms // MILLISECONDS_A_DAY),
            covered_to=min(last_day, self._last_ms // MILLISECONDS_A_DAY),
        )


def _learn(catalogue: MessageCatalogue, outcome: Keep | Deliver | Drop) -> None:
    if outcome.change is not None and outcome.change.learnt is not None:
        catalogue.learn(outcome.change.learnt)


def _dated(event: Event, message: Message) -> Message:
    """Return a message with the time of its event, if the event has one."""
    happened_at = event_time(event.event.timestamp, event.event.datetime, -1)
    if happened_at is None:
        return message
    timestamp = round(datetime.fromisoformat(happened_at).timestamp() * 1000)
    return _Dated(message.topic, message.partition, message.offset, message.key, message.value, timestamp)
