"""The interface between a policy and the destination of its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipeline.core.classification import MtuClass
    from pipeline.core.events import Event
    from pipeline.core.identity import Identity
    from pipeline.core.kinds import Kind
    from pipeline.core.outcomes import RejectReason


class BuildRecord(Protocol):
    """Builds the records of one kind of event."""

    def __call__(
        self, event: Event, identity: Identity, message_id: str, timestamp: str | None, stored_ms: int, /
    ) -> bytes | RejectReason:
        """Return the record of an event as compact JSON, or the reason why the destination cannot use the event.

        The same arguments always result in the same bytes.

        Args:
            event: The event.
            identity: Whom it is about.
            message_id: The destination's id of it, from `RecordBuilders.message_id_of`.
            timestamp: The event's own time as text, else Kafka's; None when neither has one.
            stored_ms: Kafka's time of the raw message in milliseconds; ``-1`` when it has none.
        """
        ...


class RecordBuilders(Protocol):
    """The record builders of one destination. Two that build the same records are equal."""

    @property
    def destination(self) -> str:
        """The name of the destination, as in metrics and dead letters."""
        ...

    @property
    def shaping(self) -> tuple[object, ...]:
        """Everything that affects the bytes of records, as JSON values. It is part of the policy's version."""
        ...

    def message_id_of(self, event_id: str | None, value: bytes, /) -> str:
        """Return the id by which the destination removes duplicates: always the same for the same message.

        Args:
            event_id: OneSignal's event id.
            value: The body of the message.
        """
        ...

    def mtu_class(self, kind: Kind, /) -> MtuClass:
        """Return whether the records of a kind make their users billed users."""
        ...

    def builder_of(self, kind: Kind) -> BuildRecord:
        """Return the builder for a kind, known or unknown."""
        ...
