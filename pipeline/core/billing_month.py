"""The billing month that a time belongs to, in UTC. Months begin on the first day of the destination's invoice."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

MILLISECONDS_A_DAY: Final = 86_400_000
EPOCH: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date.max.toordinal() - EPOCH


class BillingMonth:
    """Months that begin on one day of the calendar, 1 to 28."""

    def __init__(self, start_day: int = 1) -> None:
        """Set the day on which months begin.

        Raises:
            ValueError: some month does not have this day.
        """
        if not 1 <= start_day <= 28:  # noqa: PLR2004 -- February's last
            raise ValueError("a billing month begins on a day from 1 to 28")
        self.start_day = start_day
        self._first_day = lru_cache(maxsize=256)(self._first_day_of)

    def first_day(self, timestamp_ms: int) -> int:
        """Return the first day of the month of a time, in days since 1970-01-01. It identifies the month.

        Accepts any number: times before 1970 or after 9999 belong to the first or the last month.
        """
        return self._first_day(timestamp_ms // MILLISECONDS_A_DAY)

    def _first_day_of(self, day: int) -> int:
        found = date.fromordinal(EPOCH + min(max(day, 0), _LAST_DAY))
        year, month = found.year, found.month
        if found.day < self.start_day:
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return date(year, month, self.start_day).toordinal() - EPOCH
