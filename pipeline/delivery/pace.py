"""Limit the rate: a token bucket for requests and one for records, shared by all lanes. Time is an argument.

Each bucket has room for one request, so any period of t seconds has at most rate * t requests and one more. (This is
the generic cell rate algorithm, ITU-T I.371, without tolerance. A bucket is represented by the time when it is full.)
"""

from __future__ import annotations


class Pace:
    """When the next request may be sent. A rate of 0 means no limit. Times are those of the event loop's clock.

    Args:
        requests_per_second: Every attempt counts, including retries.
        records_per_second: The records of every attempt count. A request may be sent when the bucket is full again
            after the requests before it.
    """

    def __init__(self, *, requests_per_second: float, records_per_second: float) -> None:
        self._seconds_a_request = 1 / requests_per_second if requests_per_second else 0.0
        self._seconds_a_record = 1 / records_per_second if records_per_second else 0.0
        self._requests_due = 0.0
        self._records_due = 0.0
        self._paused_until = 0.0

    @property
    def ready_at(self) -> float:
        """When the next request may be sent."""
        return max(self._paused_until, self._requests_due, self._records_due)

    @property
    def paused_until(self) -> float:
        """When the pause that the destination asked for ends; 0 if there was none."""
        return self._paused_until

    def departed(self, *, records: int, now: float) -> None:
        """Count a request that is sent."""
        self._requests_due = max(self._requests_due, now) + self._seconds_a_request
        self._records_due = max(self._records_due, now) + self._seconds_a_record * records

    def pause(self, *, until: float) -> None:
        """Send nothing before that time, because the destination asked for a pause."""
        self._paused_until = max(self._paused_until, until)
