"""Where traffic comes from, and how much of it there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.core.messages import Message


class Source(Protocol):
    """Traffic that has an end."""

    @property
    def title(self) -> str:
        """Where it comes from, in words."""

    @property
    def total(self) -> int | None:
        """How much there is, in what `done` counts; None where nobody knows."""

    @property
    def done(self) -> int:
        """How much of it was given."""

    def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Give the messages, those of a partition in their order."""
