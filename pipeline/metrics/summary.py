"""What was done lately, as one line of the log now and then."""

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
    """Adds numbers up, and writes them out at most every ten seconds, and once more at the end of the worker.

    The first is written at once, so a log tells when work began. Nothing is written while nothing is counted.
    """

    def __init__(self, event: str, *, fields: Sequence[str] = ()) -> None:
        """Start with nothing counted. `event` is what the line says; `fields` are in each line, 0 included."""
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
        """Write what is left, however short the time since the last line: what was done at the end is worth a line."""
        if self._due is not None:
            self._due.cancel()
            self._write()

    def _write(self) -> None:
        self._due, self._written_at = None, asyncio.get_running_loop().time()
        logger.info(self._event, **self._numbers)
        self._numbers = self._nothing()

    def _nothing(self) -> defaultdict[str, int]:
        return defaultdict(int, dict.fromkeys(self._fields, 0))
