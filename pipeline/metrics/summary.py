"""What was done lately, as one line of the log now and then."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import structlog

logger = structlog.get_logger(__name__)

SUMMARY_SECONDS: Final = 10.0


class Summary:
    """Adds numbers up, and writes them out at most every ten seconds; nothing is written while nothing is counted.

    The first is written at once, so a log tells when work began.
    """

    def __init__(self, event: str, *, interval_seconds: float = SUMMARY_SECONDS) -> None:
        """Start with nothing counted. `event` is what the line says."""
        self._event = event
        self._interval_seconds = interval_seconds
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._written_at = float("-inf")
        self._due: asyncio.TimerHandle | None = None

    def count(self, **numbers: int) -> None:
        """Add to the numbers by their name; those that stay 0 are written, too."""
        for name, number in numbers.items():
            self._numbers[name] += number
        if self._due is None:
            loop = asyncio.get_running_loop()
            wait = self._written_at + self._interval_seconds - loop.time()
            self._due = loop.call_later(max(0.0, wait), self._write)

    def close(self) -> None:
        """Write what is left."""
        if self._due is not None:
            self._due.cancel()
            self._write()

    def _write(self) -> None:
        self._due, self._written_at = None, asyncio.get_running_loop().time()
        logger.info(self._event, **self._numbers)
        self._numbers.clear()
