"""Keep to a rate: a token bucket for requests and one for records, shared by all lanes. Time is an argument.

Each bucket holds one request, so that in any span of t seconds there are at most rate * t and one request more. (This
is the generic cell rate algorithm, ITU-T I.371, without tolerance: a bucket is the time at which it is full again.)
"""

from __future__ import annotations


class Pace:
    """When the next request may leave. A rate of 0 is no limit. Times are those of the event loop's clock.

    Args:
        requests_per_second: Every attempt counts, retries too.
        records_per_second: What each attempt carries counts; a request may leave when those before it are paid for.
    """

    def __init__(self, *, requests_per_second: float, records_per_second: float) -> None:
        self._seconds_a_request = 1 / requests_per_second if requests_per_second else 0.0
        self._seconds_a_record = 1 / records_per_second if records_per_second else 0.0
        self._requests_due = 0.0
        self._records_due = 0.0
        self._paused_until = 0.0

    @property
    def ready_at(self) -> float:
        """When the next request may leave."""
        return max(self._paused_until, self._requests_due, self._records_due)

    @property
    def paused_until(self) -> float:
        """When the pause that the destination asked for is over; 0 if it never asked."""
        return self._paused_until

    def departed(self, *, records: int, now: float) -> None:
        """Count a request that leaves."""
        self._requests_due = max(self._requests_due, now) + self._seconds_a_request
        self._records_due = max(self._records_due, now) + self._seconds_a_record * records

    def pause(self, *, until: float) -> None:
        """Let nothing leave before that time: the destination asked for it."""
        self._paused_until = max(self._paused_until, until)
