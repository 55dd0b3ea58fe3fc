"""Files that a worker reloads while it runs."""

from __future__ import annotations

from typing import Protocol


class WatchedFiles(Protocol):
    """Reloads files. A file that cannot be used or read never raises, and never blocks."""

    @property
    def note(self) -> str | None:
        """What `/readyz` shows about them."""

    async def run(self) -> None:
        """Check for changes until cancelled; return at once if no file can change."""
