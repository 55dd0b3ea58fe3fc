"""Decide the same traffic for several destinations under several sets of rules, and count the decisions of each.

Each event is decoded once. Each set of each destination then decides it with `pipeline.core.processing.judge`, which is
`process` without the record, so a set costs a fraction of the processor's time for the event.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipeline.core.events import Event, decode
from pipeline.core.timestamps import event_time
from pipeline.tools.what_if.destination_count import DestinationCount
from pipeline.tools.what_if.exact_crowds import ExactPeople
from pipeline.tools.what_if.findings import Findings, Traffic
from pipeline.tools.what_if.tally import LAST_MS, RuleSet, is_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.core.messages import Message
    from pipeline.core.outcomes import RejectReason
    from pipeline.tools.what_if.accounts import Account
    from pipeline.tools.what_if.crowds import People

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
        accounts: Sequence[Account],
        exact_users: int = EXACT_USERS,
        now_ms: int = LAST_MS,
    ) -> None:
        """Start counting.

        Set the attribute ``decode`` if the traffic is not JSON.

        Args:
            rule_sets: The sets of rules, beginning with the baseline.
            everything: The set of them that keeps everything.
            accounts: The destinations.
            exact_users: The largest number of users that are counted exactly.
            now_ms: The latest time of the catalogues' clock, which is otherwise that of the latest message.
        """
        self.decode: Callable[[bytes], Event | RejectReason] = decode
        self._exact_users = exact_users
        self._exact: ExactPeople | None = ExactPeople()
        self._people: People = self._exact
        self._now_ms = now_ms
        self._destinations = [DestinationCount(each, rule_sets, everything, self._people) for each in accounts]
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
        if is_date(message.timestamp):
            self._first_ms = min(self._first_ms, message.timestamp)
            self._last_ms = max(self._last_ms, message.timestamp)
        clock_ms = min(self._last_ms, self._now_ms)
        for destination in self._destinations:
            destination.count(event, value, message, self._people, clock_ms)

    def _switch_to_sketches(self) -> None:
        from pipeline.tools.what_if.sketched_crowds import SketchedPeople  # noqa: PLC0415 -- it imports numpy

        for destination in self._destinations:
            destination.switch_to_sketches()
        self._people = SketchedPeople()
        self._exact = None

    def findings(self, source: str) -> tuple[Findings, ...]:
        """Return the findings about each destination; `source` is the name of the source, for people."""
        traffic = Traffic(
            source=source,
            read=self.read,
            empty=self._empty,
            unusable=dict(self._unusable),
            first_ms=self._first_ms if self._last_ms >= 0 else None,
            last_ms=self._last_ms if self._last_ms >= 0 else None,
            exact_up_to=self._exact_users,
            is_exact=self._exact is not None,
        )
        return tuple(destination.findings(traffic, self._people) for destination in self._destinations)


def _dated(event: Event, message: Message) -> Message:
    """Return a message with the time of its event, if the event has one."""
    happened_at = event_time(event.event.timestamp, event.event.datetime, -1)
    if happened_at is None:
        return message
    timestamp = round(datetime.fromisoformat(happened_at).timestamp() * 1000)
    return _Dated(message.topic, message.partition, message.offset, message.key, message.value, timestamp)
