"""The ledger of the Segment stand-in: the first acceptance of each record, and counts of what was discarded."""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import Final

import msgspec

_SEEN_REQUESTS: Final = 10_000


class Discard(StrEnum):
    """Why records were discarded although the answer was 200."""

    UNKNOWN_KEY = "unknown_key"
    TOO_MANY_RECORDS = "too_many_records"
    NO_TYPE = "no_type"
    NO_USER = "no_user"
    NO_EVENT_NAME = "no_event_name"
    DUPLICATE = "duplicate"


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was read completely. ``size`` is the size of its decompressed body in bytes."""

    status: int
    size: int
    records: int
    sent_at: str | None = None
    encoding: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger in numbers. ``records_received`` = ``records_accepted`` + everything in ``discarded``."""

    requests: int
    answers: dict[int, int]
    faults: dict[str, int]
    records_received: int
    records_accepted: int
    discarded: dict[str, int]
    users: int
    largest_request_bytes: int
    largest_request_records: int


class Ledger:
    """Store the first acceptance of each messageId, in order.

    ``accepted`` maps messageId to the user (userId, else anonymousId); its order is that of the first acceptances.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.discarded: Counter[Discard] = Counter()
        self.faults: Counter[str] = Counter()
        self.requests: deque[SeenRequest] = deque(maxlen=_SEEN_REQUESTS)
        self._answers: Counter[int] = Counter()
        self._largest_bytes = 0
        self._largest_records = 0

    def accept(self, message_id: str, user: str) -> None:
        """Accept a record, or discard it as a duplicate."""
        if message_id in self.accepted:
            self.discarded[Discard.DUPLICATE] += 1
        else:
            self.accepted[message_id] = user

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
        )
