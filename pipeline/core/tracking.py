"""Which users were tracked in a billing month, and by which message first.

A mark carries the offset of the raw message that made it, so whether a user was tracked *before* a message is a
function of the log: a redelivery decides as the first delivery did, whatever was remembered in between.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

BEFORE_THE_LOG: Final = -1
"""The offset of a mark that no message of this log made: the user was counted elsewhere, or in a former raw topic."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A user became a tracked one: who and in which month, as tracked users number them, and by which raw offset."""

    user: int
    month: int
    offset: int


class TrackedUsers(Protocol):
    """The tracked users of one raw partition."""

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return the raw offset that first marked a user in the billing month of a time.

        None when nothing did, or when the time is in no month that is remembered.
        """

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> Mark | None:
        """Return the mark that a message makes of its user, without taking it in.

        None when Kafka's time of the message is in no month that is remembered.
        """
