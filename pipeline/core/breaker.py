"""The circuit breaker for dead letters: a few are bad records, many are a sign of a broken deployment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

ALWAYS_ALLOWED: Final = 10
"""Dead letters of one window that are always allowed, so that one bad record in a quiet hour does not cause a hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """How many dead letters are too many: more than ``max_share`` of the last ``window`` records. 1 allows any number.

    Raises:
        ValueError: a limit is out of its range.
    """

    max_share: float = 0.05
    window: int = 2_000

    def __post_init__(self) -> None:
        if not 0 <= self.max_share <= 1 or self.window < 1:
            raise ValueError("the share is from 0 to 1, and the window has at least one record")


class Breaker:
    """Decides whether records may become dead letters, by the outcomes of the last records.

    The window moves by whole reports, so it may exceed its length by a part of the oldest report. The records to decide
    about count as the newest of the window. When they exceed the window, only they count.
    """

    def __init__(self, limits: BreakerLimits) -> None:
        self.limits = limits
        self._reports: deque[tuple[int, int]] = deque()
        self._records = 0
        self._bad = 0
        self._reserved = 0

    def note(self, *, records: int, bad: int) -> None:
        """Add records that are settled, or certain to be; ``bad`` of them as dead letters."""
        self._reports.append((records, bad))
        self._records += records
        self._bad += bad
        while self._records - self._reports[0][0] >= self.limits.window:
            oldest_records, oldest_bad = self._reports.popleft()
            self._records -= oldest_records
            self._bad -= oldest_bad

    def allows(self, *, records: int, bad: int, own: int = 0) -> bool:
        """Return whether ``bad`` of these records may become dead letters, if the others are good.

        Reserved dead letters count too, except for the caller's ``own``.
        """
        older_records, older_bad = self._before(records)
        allowed = self.limits.max_share * (older_records + records)
        return bad == 0 or older_bad + self._reserved - own + bad <= max(allowed, ALWAYS_ALLOWED)

    @property
    def share(self) -> float:
        """The share of dead letters in the window; 0 while the window is empty."""
        return self._bad / self._records if self._records else 0.0

    def reserve(self, dead_letters: int) -> None:
        """Count dead letters that were allowed and are not certain yet; a negative number releases some."""
        self._reserved += dead_letters

    def admit(self, *, records: int, bad: int) -> bool:
        """Add these records if they are allowed; return whether they are."""
        allowed = self.allows(records=records, bad=bad)
        if allowed:
            self.note(records=records, bad=bad)
        return allowed

    def _before(self, newest: int) -> tuple[int, int]:
        """Return how many records and dead letters stay in the window when so many new records are added."""
        records, bad = self._records, self._bad
        for old_records, old_bad in self._reports:
            if records + newest - old_records < self.limits.window:
                break
            records -= old_records
            bad -= old_bad
        return records, bad
