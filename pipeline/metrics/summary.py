"""A log line now and then that sums up what was counted since the last one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = structlog.get_logger(__name__)

SUMMARY_SECONDS: Final = 10.0


class Summary:
    """Adds numbers up and logs them at most every ten seconds, and once more when the worker ends.

    The first count is logged at once, so the log shows when a worker began. Nothing is logged while nothing is counted.
    """

    def __init__(self, event: str, *, fields: Sequence[str] = ()) -> None:
        """Start at zero. `event` is the log message; `fields` are in each log line, even when they are 0."""
        self._event = event
        self._fields = fields
        self._numbers = self._nothing()
        self._written_at = float("-inf")
        self._due: asyncio.TimerHandle | None = None

    def count(self, **numbers: int) -> None:
        """Add to the numbers by their name."""
        for name, number in numbers.items():
            self._numbers[name] += number
        if self._due is None:
            loop = asyncio.get_running_loop()
            wait = self._written_at + SUMMARY_SECONDS - loop.time()
            self._due = loop.call_later(max(0.0, wait), self._write)

    def close(self) -> None:
        """Log what was counted since the last log line, however short ago that was."""
        if self._due is not None:
            self._due.cancel()
            self._write()

    def _write(self) -> None:
        self._due, self._written_at = None, asyncio.get_running_loop().time()
        logger.info(self._event, **self._numbers)
        self._numbers = self._nothing()

    def _nothing(self) -> defaultdict[str, int]:
        return defaultdict(int, dict.fromkeys(self._fields, 0))
