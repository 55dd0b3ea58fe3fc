"""The ledger of the Mixpanel stand-in: every row as it was ingested, the report without duplicates, and oddities."""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

_SEEN_REQUESTS: Final = 10_000
_MILLISECONDS_PER_DAY: Final = 86_400_000
HOT_SHARD_EVENTS: Final = 200_000
"""More events than these of one user on one day are hidden from the user's reports."""
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


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was read completely. ``size`` is the size of its decompressed body in bytes."""

    status: int
    size: int
    records: int
    encoding: str | None = None
    integration: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger in numbers.

    ``records_received`` = ``records_accepted`` + everything in ``discarded``. ``raw_rows`` are what a raw export shows,
    ``report_rows`` what a report counts. ``changed`` counts insert ids that returned with something else.
    """

    requests: int
    answers: dict[int, int]
    faults: dict[str, int]
    records_received: int
    records_accepted: int
    discarded: dict[str, int]
    users: int
    largest_request_bytes: int
    largest_request_records: int
    raw_rows: int
    report_rows: int
    changed: dict[str, int]
    hot: int
    hides_others: int


class Ledger:
    """Store every ingested event, and the first acceptance of each ``$insert_id``, in order.

    ``accepted`` maps the insert id to the user (distinct_id); its order is that of the first acceptances. ``raw`` has
    every row, as a raw export shows it, and ``report`` each different row once.
    """

    def __init__(self, *, hot_shard_events: int = HOT_SHARD_EVENTS) -> None:
        self.accepted: dict[str, str] = {}
        self.raw: list[Row] = []
        self.report: set[Row] = set()
        self.discarded: Counter[Discard] = Counter()
        self.changed: Counter[Change] = Counter()
        self.faults: Counter[str] = Counter()
        self.requests: deque[SeenRequest] = deque(maxlen=_SEEN_REQUESTS)
        self.hides_others = 0
        self._hot_shard_events = hot_shard_events
        self._of_day: Counter[tuple[str, int]] = Counter()
        self._first: dict[str, Row] = {}
        self._answers: Counter[int] = Counter()
        self._largest_bytes = 0
        self._largest_records = 0

    def accept(self, row: Row) -> None:
        """Ingest an event."""
        first = self._first.get(row.insert_id)
        if first is None:
            self._first[row.insert_id] = row
            self.accepted[row.insert_id] = row.user
        elif first == row:
            self.discarded[Discard.DUPLICATE] += 1
            row = first
        else:
            self.discarded[Discard.DUPLICATE] += 1
            self.changed.update(_changes(first, row))
        self._of_day[row.user, row.time // _MILLISECONDS_PER_DAY] += 1
        if row.user and self._of_day[row.user, row.time // _MILLISECONDS_PER_DAY] > self._hot_shard_events:
            row = Row(HOT_SHARD_NAME, "", row.time, row.insert_id)
        self.raw.append(row)
        self.report.add(row)

    def seen(self, status: int, *, size: int) -> None:
        """Store a request that was answered with a status and without a look at its records."""
        self.see(SeenRequest(status=status, size=size, records=0))

    def see(self, request: SeenRequest) -> None:
        """Store a request that was answered."""
        self.requests.append(request)
        self._answers[request.status] += 1
        self._largest_bytes = max(self._largest_bytes, request.size)
        self._largest_records = max(self._largest_records, request.records)

    def summary(self) -> Summary:
        """Return the totals."""
        return Summary(
            requests=self._answers.total(),
            answers=dict(sorted(self._answers.items())),
            faults=dict(sorted(self.faults.items())),
            records_received=len(self.accepted) + self.discarded.total(),
            records_accepted=len(self.accepted),
            discarded={reason.value: self.discarded[reason] for reason in Discard},
            users=len(set(self.accepted.values())),
            largest_request_bytes=self._largest_bytes,
            largest_request_records=self._largest_records,
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
