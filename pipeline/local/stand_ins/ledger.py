"""What the ledgers of all stand-ins store: requests, faults, and the first acceptance of each record."""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import Final, Generic, TypeVar

import msgspec

_SEEN_REQUESTS: Final = 10_000


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was read completely. ``size`` is the size of its decompressed body in bytes."""

    status: int
    size: int
    records: int
    encoding: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger in numbers. ``records_received`` = ``records_accepted`` + everything in ``discarded``."""

    requests: int
    answers: dict[int, int]
    faults: dict[str, int]
    records_received: int
    records_accepted: int
    discarded: dict[str, int]
    users: int
    largest_request_bytes: int
    largest_request_records: int


Reason = TypeVar("Reason", bound=StrEnum)
Seen = TypeVar("Seen", bound=SeenRequest)


class Ledger(Generic[Reason, Seen]):
    """What a stand-in accepted and saw.

    ``accepted`` maps the id of each record to its user; its order is that of the first acceptances. ``discarded``
    counts the other records, and ``faults`` the faults of requests by kind. ``requests`` has the last requests.
    """

    def __init__(self, *, reasons: type[Reason], request: type[Seen]) -> None:
        """Start empty.

        Args:
            reasons: why records are discarded; the summary has each of them.
            request: what is stored of a request.
        """
        self.accepted: dict[str, str] = {}
        self.discarded: Counter[Reason] = Counter()
        self.faults: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=_SEEN_REQUESTS)
        self._reasons = reasons
        self._request = request
        self._answers: Counter[int] = Counter()
        self._largest_bytes = 0
        self._largest_records = 0

    def seen(self, status: int, *, size: int) -> None:
        """Store a request that was answered with a status and without a look at its records."""
        self.see(self._request(status=status, size=size, records=0))

    def see(self, request: Seen) -> None:
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
            discarded={reason.value: self.discarded[reason] for reason in self._reasons},
            users=len(set(self.accepted.values())),
            largest_request_bytes=self._largest_bytes,
            largest_request_records=self._largest_records,
        )
