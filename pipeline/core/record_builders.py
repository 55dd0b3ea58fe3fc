"""The interface between a policy and the destination of its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipeline.core.events import Event
    from pipeline.core.identity import Identity
    from pipeline.core.kinds import Kind


class BuildRecord(Protocol):
    """Builds the records of one kind of event."""

    def __call__(self, event: Event, identity: Identity, message_id: str, timestamp: str | None, /) -> bytes | None:
        """Return the record of an event as compact JSON; None when it exceeds the destination's limit.

        The same arguments always result in the same bytes.
        """
        ...


class RecordBuilders(Protocol):
    """The record builders of one destination. Two that build the same records are equal."""

    @property
    def shaping(self) -> tuple[object, ...]:
        """Everything that affects the bytes of records, as JSON values. It is part of the policy's version."""
        ...

    @property
    def max_message_id_characters(self) -> int:
        """The longest message id that the destination accepts."""
        ...

    def builder_of(self, kind: Kind) -> BuildRecord:
        """Return the builder for a kind, known or unknown."""
        ...
