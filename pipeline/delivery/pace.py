"""Keep to a rate: a token bucket for requests and one for records, shared by all lanes. Time is an argument.

Each bucket holds one request, so that in any span of t seconds there are at most rate * t and one request more. (This
is the generic cell rate algorithm, ITU-T I.371, without tolerance: a bucket is the time at which it is full again.)
"""

from __future__ import annotations


class Pace:
    """Say when the next request may leave. A rate of 0 is no limit.

    Args:
        requests_per_second: Every attempt counts, retries too.
        records_per_second: What each attempt carries counts; a request may leave when those before it are paid for.
    """

    def __init__(self, *, requests_per_second: float, records_per_second: float) -> None:
        self._seconds_a_request = 1 / requests_per_second if requests_per_second else 0.0
        self._seconds_a_record = 1 / records_per_second if records_per_second else 0.0
        self._requests_due = 0.0
        self._records_due = 0.0

    @property
    def ready_at(self) -> float:
        """When the next request may leave."""
        return max(self._requests_due, self._records_due)

    def departed(self, *, records: int, now: float) -> None:
        """Note that a request leaves."""
        self._requests_due = max(self._requests_due, now) + self._seconds_a_request
        self._records_due = max(self._records_due, now) + self._seconds_a_record * records
