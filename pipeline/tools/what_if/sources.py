"""The source of traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pipeline.core.messages import Message


class Source(Protocol):
    """A source of finite traffic."""

    @property
    def title(self) -> str:
        """The name of the source, for people."""

    @property
    def total(self) -> int | None:
        """The size of the source in the unit of `done`, or None if it is unknown."""

    @property
    def done(self) -> int:
        """How much of the source has been read."""

    def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Yield the messages in batches, those of each partition in order."""
