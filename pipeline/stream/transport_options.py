"""The options of the batch transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from pipeline.kafka.groups import KnownSource
    from pipeline.stream.ledger import TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """Options and callbacks of the worker around the transport.

    `before_revoke` is awaited before partitions are released: it settles what it can within its own bound, and drops
    the rest. `on_committed` is called after each confirmed commit, `on_commit_failed` after any other.
    """

    consumer: Mapping[str, Any]
    """Keyword arguments of aiokafka's consumer: connection, timeouts, fetch sizes."""
    max_messages_in_hand: int
    """Unsettled messages of a partition at which its fetching stops; one more fetch may be under way."""
    max_bytes_in_hand: int
    """The same in bytes of keys and values."""
    collect_seconds: float
    """How long brokers may collect messages before they answer a fetch; 0 for not at all."""
    commit_interval_seconds: float
    """How long after a failed commit the next one is tried, if nothing is settled before."""
    revoke_timeout_seconds: float
    """How long revoked partitions may be settled and committed, without `LAST_COMMIT_SECONDS`."""
    before_revoke: Callable[[Collection[TopicPartition]], Awaitable[None]]
    on_committed: Callable[[], None]
    on_commit_failed: Callable[[], None] = lambda: None
    on_assigned: Callable[[Collection[TopicPartition]], None] = lambda _: None
    """Called when partitions were positioned, before their first batch."""
    source: KnownSource | None = None
    """The topic as it was found at the start; with None, whatever is assigned is read."""
