"""The ledger of the Mixpanel stand-in: every row as it was ingested, the report without duplicates, and oddities."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from pipeline.local.stand_ins import ledger as shared

_MILLISECONDS_PER_DAY: Final = 86_400_000
HOT_SHARD_EVENTS: Final = 200_000
"""More events than these of one user on one day are hidden from the user's reports
(schemas/SOURCES.md, "Mixpanel hot shards")."""
HOT_SHARD_NAME: Final = "$hotshard_events"


class Discard(StrEnum):
    """Why events of an accepted request are not in a report, or not as they were sent."""

    DUPLICATE = "duplicate"
    REFUSED = "refused"
    IGNORED = "ignored"


class Change(StrEnum):
    """What differs when an ``$insert_id`` returns: reports then count both events."""

    EVENT = "event"
    USER = "user"
    TIME = "time"


class Row(NamedTuple):
    """One ingested event. ``time`` in milliseconds since the epoch. Reports count equal rows once."""

    event: str
    user: str
    time: int
    insert_id: str


class SeenRequest(shared.SeenRequest, frozen=True, kw_only=True):
    """One request that was read completely, with the header that names the integration."""

    integration: str | None = None


class Summary(shared.Summary, frozen=True, kw_only=True):
    """The ledger in numbers.

    ``raw_rows`` are what a raw export shows, ``report_rows`` what a report counts. ``changed`` counts insert ids that
    returned with something else.
    """

    raw_rows: int
    report_rows: int
    changed: dict[str, int]
    hot: int
    hides_others: int


class Ledger(shared.Ledger[Discard, SeenRequest]):
    """Store every ingested event, and the first acceptance of each ``$insert_id``; its user is the distinct_id.

    ``raw`` has every row, as a raw export shows it, and ``report`` each different row once.
    """

    def __init__(self, *, hot_shard_events: int = HOT_SHARD_EVENTS) -> None:
        super().__init__(reasons=Discard, request=SeenRequest)
        self.raw: list[Row] = []
        self.report: set[Row] = set()
        self.changed: Counter[Change] = Counter()
        self.hides_others = 0
        self._hot_shard_events = hot_shard_events
        self._of_day: dict[tuple[str, int], int] = {}
        self._first: dict[str, Row] = {}

    def accept(self, row: Row) -> None:
        """Ingest an event."""
        first = self._first.get(row.insert_id)
        if first is None:
            self._first[row.insert_id] = row
            self.accepted[row.insert_id] = row.user
        else:
            self.discarded[Discard.DUPLICATE] += 1
            self.changed.update(_changes(first, row))
        day = row.user, row.time // _MILLISECONDS_PER_DAY
        of_day = self._of_day[day] = self._of_day.get(day, 0) + 1
        if row.user and of_day > self._hot_shard_events:
            row = Row(HOT_SHARD_NAME, "", row.time, row.insert_id)
        self.raw.append(row)
        self.report.add(row)

    def summary(self) -> Summary:
        """Return the totals."""
        return Summary(
            **msgspec.structs.asdict(super().summary()),
            raw_rows=len(self.raw),
            report_rows=len(self.report),
            changed={change.value: self.changed[change] for change in Change},
            hot=sum(row.event == HOT_SHARD_NAME for row in self.raw),
            hides_others=self.hides_others,
        )


def _changes(first: Row, row: Row) -> list[Change]:
    pairs = {
        Change.EVENT: (first.event, row.event),
        Change.USER: (first.user, row.user),
        Change.TIME: (first.time, row.time),
    }
    return [change for change, (before, now) in pairs.items() if before != now]
