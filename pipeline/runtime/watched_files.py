"""Files that a worker reads again while it runs, whatever its role takes from them."""

from __future__ import annotations

from typing import Protocol


class WatchedFiles(Protocol):
    """Reads files again and again; one that cannot be used, or does not answer, never raises and never blocks."""

    @property
    def note(self) -> str | None:
        """What `/readyz` tells of them."""

    async def run(self) -> None:
        """Look until cancelled; return where no file can change."""
