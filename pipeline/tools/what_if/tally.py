"""Decide events under one set of rules, and count the decisions by kind and the events by month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pipeline.core.outcomes import Drop, Reject
from pipeline.core.processing import Keep, State, judge, process
from pipeline.core.tracking import BEFORE_THE_LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.catalogue import Catalogue
    from pipeline.core.events import Event
    from pipeline.core.filters import Rules
    from pipeline.core.kinds import Kind
    from pipeline.core.messages import Message
    from pipeline.core.policy import Policy
    from pipeline.tools.what_if.crowds import Crowd, People, Who

LAST_MS: Final = 253_402_300_799_999  # the last millisecond of the year 9999
_ALWAYS_FITS_BYTES: Final = 2_500
"""A smaller body cannot give a record over Segment's 32 KB: a byte becomes six at most, and two fields occur twice."""
_ALWAYS_FITS_KEY_BYTES: Final = 200
"""No destination rejects a user id of this size: Mixpanel's limit is 255 characters with a prefix of 8."""
_ALWAYS_FITS_MS: Final = 86_400_000 * 366
"""No destination rejects a time after 1971-01-01, which is Mixpanel's limit."""
_COLUMNS: Final = {"kept": 0, "dropped": 1, "rejected": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules with a name for people."""

    name: str
    rules: Rules


class Tally:
    """The decisions of one set of rules for one destination so far.

    ``billed`` are the users with a kept event that the destination bills, ``seen`` those with any kept event. They are
    the same crowd if the destination exempts nothing.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        policy: Policy,
        people: People,
        month_of: Callable[[int], int],
        catalogue: Catalogue | None,
    ) -> None:
        self.rule_set = rule_set
        self.policy = replace(policy, rules=rule_set.rules)
        self.tracks = rule_set.rules.needs_tracked_users
        self.billed: Crowd = people.crowd(searchable=self.tracks)
        exempts = not all(plan.is_counted for plan in self.policy.plans.values())
        self.seen: Crowd = people.crowd(searchable=False) if exempts else self.billed
        self.state = State(tracked_users=self if self.tracks else None, catalogue=catalogue)
        self.kinds: dict[str, list[int]] = {}
        self.records: dict[int, int] = {}
        self.engagements_lost: dict[str, int] = {}
        self.undated = 0
        self._month_of = month_of

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return a mark if an earlier message made the user tracked (`pipeline.core.tracking.TrackedUsers`)."""
        if not is_date(timestamp_ms):
            return None
        return BEFORE_THE_LOG if self.billed.contains(user_key, self._month_of(timestamp_ms)) else None

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> None:
        """Return None: no mark is needed, because the crowd remembers its users."""

    def decide(self, event: Event, value: bytes, message: Message) -> Keep | Drop | Reject:
        """Decide and count an event."""
        outcome = judge(event, value, message, self.policy, self.state)
        if isinstance(outcome, Keep) and _may_be_unusable(outcome, value, message):
            processed = process(message, self.policy, self.state, lambda _value: event)
            outcome = processed if isinstance(processed, Reject) else outcome
        match outcome:
            case Keep(plan=plan):
                self._count(plan.kind, "kept")
            case Drop(kind=kind):
                self._count(kind, "dropped")
            case Reject(kind=kind):
                self._count(kind, "rejected")
        return outcome

    def touch(self, kept: Keep, who: Who, month: int, day: int) -> None:
        """Add the user of a kept event, and the event, to a month."""
        self.records[month] = self.records.get(month, 0) + 1
        if kept.plan.is_counted:
            self.billed.touch(who, month, day)
        if self.seen is not self.billed:
            self.seen.touch(who, month, day)

    def _count(self, kind: Kind | None, what: str) -> None:
        name = "" if kind is None else kind.name
        counts = self.kinds.get(name)
        if counts is None:
            counts = self.kinds[name] = [0, 0, 0]
        counts[_COLUMNS[what]] += 1


def _may_be_unusable(kept: Keep, value: bytes, message: Message) -> bool:
    """Return whether a destination may have a reason to reject a record, so that the record must be built."""
    return (
        len(value) > _ALWAYS_FITS_BYTES
        or len(kept.user_key) > _ALWAYS_FITS_KEY_BYTES
        or not _ALWAYS_FITS_MS <= message.timestamp <= LAST_MS
    )


def is_date(timestamp: int) -> bool:
    """Return whether a number of milliseconds is a plausible time."""
    return 0 < timestamp <= LAST_MS
